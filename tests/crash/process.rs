//! The server as a process, and the directory it leaves behind.

use magpie::storage::{RoomFound, Storage, StorageOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// A directory of this run; kept when the test fails.
pub(crate) struct TestDir(PathBuf);

impl TestDir {
    pub(crate) fn new(seed: u64) -> Self {
        let dir = std::env::temp_dir().join(format!("magpie-crash-{}-{seed}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("magpie.toml"), SETTINGS).unwrap();
        Self(dir)
    }

    fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// What the dead server has in the archive of a room, in order, and the subject it has for it.
    pub(crate) async fn room(&self, room: &str) -> (Vec<String>, Option<String>) {
        let storage = Storage::open(StorageOptions::in_dir(self.data())).await.unwrap();
        let RoomFound::Room(row) = storage.room_load(room).await.unwrap() else { panic!("no such room: {room}") };
        let found = storage.room_archive_last(row.id, i64::MIN, u32::MAX >> 1, u64::MAX >> 2).await.unwrap();
        storage.close().await.unwrap();
        (found.into_iter().map(|message| message.stanza).collect(), row.subject)
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("left behind: {}", self.0.display());
        } else {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// Room for what piles up for those who are away; small pages, so that a hand-out has several.
const SETTINGS: &str = "
[auth]
scram_iterations = 4096
[offline]
messages_max = 1000000
bytes_max = 1000000000
[limits]
offline_replay_batch_max = 40
";

/// A running server. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    /// Starts and waits until it accepts connections.
    pub(crate) async fn start(dir: &TestDir) -> Self {
        let mut process = Self::spawn(dir);
        process.ready().await;
        process
    }

    /// Starts; it may not be ready yet.
    pub(crate) fn spawn(dir: &TestDir) -> Self {
        let address = free_address();
        let log = std::fs::OpenOptions::new().create(true).append(true).open(dir.0.join("server.log")).unwrap();
        let mut command = Command::new(binary());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MAGPIE_")) {
            command.env_remove(name);
        }
        let child = command
            .current_dir(&dir.0)
            .env("MAGPIE_CONFIG", dir.0.join("magpie.toml"))
            .env("MAGPIE_DOMAIN", crate::DOMAIN)
            .env("MAGPIE_DATA_DIR", dir.data())
            .env("MAGPIE_C2S_LISTEN", address.to_string())
            .env("MAGPIE_HTTP_LISTEN", "")
            .env("MAGPIE_HTTP_TLS_LISTEN", "")
            .env("MAGPIE_C2S_TLS_LISTEN", "")
            .env("MAGPIE_REGISTRATION", "open")
            .env("MAGPIE_ALLOW_PLAINTEXT_AUTH", "true")
            .env("MAGPIE_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, address }
    }

    /// Waits until it accepts connections.
    pub(crate) async fn ready(&mut self) -> SocketAddr {
        let deadline = tokio::time::Instant::now() + crate::PATIENCE;
        while tokio::net::TcpStream::connect(self.address).await.is_err() {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the server ended: {status}");
            }
            assert!(tokio::time::Instant::now() < deadline, "the server does not start");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        self.address
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// `kill -9`; returns when it is gone.
    pub(crate) fn kill(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("the server ended by itself: {status}");
        }
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that is free, and below those that systems give to whoever asks for any: nobody takes it before the server does.
fn free_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let offset = std::process::id().wrapping_mul(61).wrapping_add(NEXT.fetch_add(1, Relaxed)) % 12_000;
        let address = SocketAddr::from(([127, 0, 0, 1], 20_000 + offset as u16));
        if std::net::TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// The server under test; another build of it for comparisons.
fn binary() -> PathBuf {
    std::env::var_os("CRASH_TEST_SERVER").map_or_else(|| Path::new(env!("CARGO_BIN_EXE_magpie")).into(), PathBuf::from)
}

/// What the dead server still has stored, for each receiver, as a start would find it.
pub(crate) async fn stored(dir: &TestDir, receivers: usize) -> Vec<Vec<String>> {
    let storage = Storage::open(StorageOptions::in_dir(dir.data())).await.unwrap();
    let mut all = Vec::new();
    for index in 0..receivers {
        let jid = format!("{}@{}", crate::receivers::name(index), crate::DOMAIN);
        let id = storage.account(&jid).await.unwrap().expect("registered").account.id;
        let mut left: Vec<String> = Vec::new();
        let mut after = 0;
        loop {
            let page = storage.offline_page(id, after, 1000, 10_000_000).await.unwrap();
            let Some(last) = page.last() else { break };
            after = last.id;
            left.extend(page.into_iter().map(|row| row.stanza));
        }
        all.push(left);
    }
    storage.close().await.unwrap();
    all
}
