//! Tests of the app.
