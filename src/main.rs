//! The `magpie` command.

use magpie::cli::args::Cli;
use magpie::cli::{self, Exit};

fn main() -> Exit {
    cli::run(&Cli::from_process())
}
