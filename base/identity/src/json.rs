//! Reading JSON in which no object has two members of one name.
