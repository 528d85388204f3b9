//! What a command has to ask a person: passwords without echo, and whether it is really meant.

use super::args::Password;
use crate::admin::protocol::{self, Failure, FailureKind};
use crate::admin::readable_secret;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Read, Write as _};

/// 100 bits, in a form that can be told on the telephone.
const GENERATED_LENGTH: usize = 20;
/// More than any password may have; whoever names a file of another kind is told so.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// A password, and whether it was made here and has to be shown.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) password: protocol::Password,
    pub(super) generated: bool,
}

fn usage(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::BadRequest, message)
}

/// Gets a password from where the command line says.
pub(super) fn password(source: &Password, jid: &str) -> Result<Given, Failure> {
    let given = |text| Ok(Given { password: protocol::Password(text), generated: false });
    if source.generate {
        let made = readable_secret(GENERATED_LENGTH);
        let made = made.ok_or_else(|| Failure::new(FailureKind::Failed, "no random numbers from the system"))?;
        return Ok(Given { password: protocol::Password(made), generated: true });
    }
    if source.password_stdin {
        return given(first_line(io::stdin(), "standard input")?);
    }
    if let Some(path) = &source.password_file {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|e| usage(format!("{name}: {e}")))?;
        return given(first_line(file, &name)?);
    }
    if !io::stdin().is_terminal() {
        return Err(usage("nobody to ask for a password: use --password-stdin, --password-file or --generate"));
    }
    let first = ask_hidden(&format!("Password for {jid}: "))?;
    let again = ask_hidden("The same again: ")?;
    if first == again { given(first) } else { Err(usage("these were two different passwords; nothing was done")) }
}

fn first_line(input: impl Read, name: &str) -> Result<String, Failure> {
    let mut line = String::new();
    let read = BufReader::new(input.take(LINE_BYTES_MAX)).read_line(&mut line);
    read.map_err(|e| usage(format!("{name}: {e}")))?;
    let line = line.strip_suffix('\n').unwrap_or(&line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() { Err(usage(format!("{name} has no password in its first line"))) } else { Ok(line.to_owned()) }
}

/// Turns the echo of the terminal on again, however the question ends.
struct Quiet(rustix::termios::Termios);

impl Quiet {
    fn new() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        // The end of the line is shown, or the next question would stand in the same one.
        quiet.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that is gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

fn ask_hidden(question: &str) -> Result<String, Failure> {
    let failed = |e: io::Error| Failure::new(FailureKind::Failed, format!("the terminal cannot be asked: {e}"));
    let _quiet = Quiet::new().map_err(failed)?;
    ask(question).map_err(failed)
}

fn ask(question: &str) -> io::Result<String> {
    let mut err = io::stderr();
    write!(err, "{question}")?;
    err.flush()?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Is it really meant? Without a terminal only `--yes` says so.
pub(super) fn confirm(yes: bool, question: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(usage(format!("{question} Nobody to ask: say --yes")));
    }
    match ask(&format!("{question} [y/N] ")) {
        Ok(answer) if matches!(answer.trim(), "y" | "Y" | "yes") => Ok(()),
        _ => Err(Failure::new(FailureKind::Failed, "nothing was done")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_first_line_without_its_end() {
        for (input, expected) in [("secret\n", "secret"), ("secret\r\nmore", "secret"), (" a b ", " a b ")] {
            assert_eq!(first_line(input.as_bytes(), "x").unwrap(), expected);
        }
        assert_eq!(first_line(&b"\nsecret"[..], "x").unwrap_err().kind, FailureKind::BadRequest);
        assert!(first_line(&b"\xff\n"[..], "x").is_err());
    }

    #[test]
    fn a_generated_password_is_shown_and_strong() {
        let source = Password { generate: true, ..Password::default() };
        let given = password(&source, "a@b").unwrap();
        assert!(given.generated && given.password.0.len() == GENERATED_LENGTH);
        assert!(!format!("{given:?}").contains(&given.password.0));
    }
}
