//! The table of commands fits together.

use clap::CommandFactory;

#[test]
fn every_command_and_flag_is_well_formed() {
    super::Finial::command().debug_assert();
}
