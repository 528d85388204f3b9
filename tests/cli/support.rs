//! A home for one server, the server in it, and a client small enough to be read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Ends a test that fails; no test waits for it.
const DEADLINE: Duration = Duration::from_secs(20);

/// The web side on free ports, too: tests run side by side.
pub(crate) const NO_FIXED_PORTS: &str = "--http-listen 127.0.0.1:0 --http-tls-listen 127.0.0.1:0";

/// A directory of its own, removed at the end.
pub(crate) struct Home(TempDir);

/// What a command left.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o777
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_magpie"));
        command.current_dir(self.0.path()).args(line.split(' ').filter(|word| !word.is_empty()));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MAGPIE_")) {
            command.env_remove(name);
        }
        // As if started by hand, not by cargo.
        command.env_remove("CARGO_MANIFEST_DIR");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, line: &str) -> Done {
        Done::from(self.command(line).output().unwrap())
    }

    /// The same with something to read.
    pub(crate) fn run_with_input(&self, line: &str, input: &str) -> Done {
        let mut child = self.command(line).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Done::from(child.wait_with_output().unwrap())
    }

    /// Runs a command that has to succeed; what it printed as JSON.
    pub(crate) fn json(&self, line: &str) -> Value {
        let done = self.run(&format!("{line} --json"));
        assert_eq!(done.code, 0, "{line}: {}{}", done.out, done.err);
        serde_json::from_str(&done.out).unwrap()
    }

    pub(crate) fn add(&self, jid: &str) {
        let done = self.run_with_input(&format!("user add {jid} --password-stdin"), "secret\n");
        assert_eq!(done.code, 0, "{}", done.err);
    }

    /// Starts a server on free ports and waits until it is ready.
    pub(crate) fn serve(&self, flags: &str) -> Running {
        let flags = format!("{flags} --json --c2s-listen 127.0.0.1:0 --c2s-tls-listen 127.0.0.1:0 {NO_FIXED_PORTS}");
        let log = self.path("log");
        let mut child = self.command(&flags).stderr(File::create(&log).unwrap()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready =
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("not ready: {}", fs::read_to_string(&log).unwrap()));
        Running { child, ready, log }
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// A running server; killed with its test.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) ready: Value,
    log: PathBuf,
}

impl Running {
    /// Waits for its end; its exit code.
    pub(crate) fn ended(&mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    /// Logs in on a server started with `--allow-plaintext-auth`.
    pub(crate) fn login(&self, user: &str) -> Client {
        Client::login(self.ready["starttls"][0].as_str().unwrap(), user)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

/// A client that speaks in strings.
pub(crate) struct Client {
    stream: TcpStream,
    seen: String,
}

impl Client {
    fn login(address: &str, user: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut client = Self { stream, seen: String::new() };
        const OPEN: &str = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
                            to='localhost' version='1.0'>";
        client.send(OPEN);
        client.until("</stream:features>");
        let secret = STANDARD.encode(format!("\0{user}\0secret"));
        client.send(&format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>"));
        client.until("<success");
        client.send(OPEN);
        client.until("</stream:features>");
        client.send(
            "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>here</resource></bind></iq>",
        );
        client.until("</iq>");
        client
    }

    pub(crate) fn send(&mut self, xml: &str) {
        self.stream.write_all(xml.as_bytes()).unwrap();
    }

    /// Reads until this was seen; what came up to there.
    pub(crate) fn until(&mut self, mark: &str) -> String {
        loop {
            if let Some(at) = self.seen.find(mark) {
                let rest = self.seen.split_off(at + mark.len());
                return std::mem::replace(&mut self.seen, rest);
            }
            let mut bytes = [0; 4096];
            let n = self.stream.read(&mut bytes).unwrap();
            assert!(n > 0, "the stream ended before {mark}: {}", self.seen);
            self.seen.push_str(std::str::from_utf8(&bytes[..n]).unwrap());
        }
    }

    /// Everything sent before has been worked on; what came meanwhile.
    pub(crate) fn settle(&mut self) -> String {
        self.send("<iq type='get' id='settled' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>");
        self.until("settled")
    }

    /// What comes until the server has closed the connection.
    pub(crate) fn rest(&mut self) -> String {
        self.stream.read_to_string(&mut self.seen).unwrap();
        std::mem::take(&mut self.seen)
    }
}
