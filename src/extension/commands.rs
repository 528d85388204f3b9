//! How an extension declares a command (XEP-0050): who may run it, and what each of its steps does. Sessions, actions and
//! answers are the business of `xep/commands.rs`.

use super::BoxFuture;
use crate::account::resource::Client;
use crate::core::Core;
use std::sync::Arc;
use xep_support::formats::form::DataForm;
use xep_support::jid::Jid;
use xep_support::stanza::error::StanzaError;
use xep_support::xml::Element;

/// A command.
pub struct Command {
    /// What it is called in the protocol.
    pub node: &'static str,
    /// What it is called by people.
    pub name: &'static str,
    /// May this client run it there? Who may not does not see it either.
    pub may: fn(&Core, &Client, &Jid) -> bool,
    /// Does the next step.
    pub run: CommandHandler,
}

/// A command that is being run: the step that follows the forms so far.
pub struct CommandCall {
    /// The server.
    pub core: Arc<Core>,
    /// Who runs it.
    pub client: Client,
    /// Whose command it is.
    pub to: Jid,
    /// What was filled in, one form for each step. Empty: it has just begun.
    pub forms: Vec<DataForm>,
}

/// What comes of a step.
pub enum Step {
    /// A form to be filled in; with the last one the command is complete.
    Form {
        /// What is asked.
        form: DataForm,
        /// Does nothing follow?
        is_last: bool,
    },
    /// It is done.
    Done {
        /// What came of it: a form (XEP-0004).
        form: Option<Element>,
        /// A word to the user.
        note: Option<String>,
    },
}

/// Does a step. It may be asked for the same one again: somebody went back, or corrects what was refused.
pub type CommandHandler = Box<dyn Fn(CommandCall) -> BoxFuture<Result<Step, StanzaError>> + Send + Sync>;
