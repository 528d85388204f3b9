//! Fills archives of several sizes as real chat does and prints how long pages of them take, and what else depends on
//! the size.
//!
//! `cargo run --release --example archive_cost -- DIRECTORY 10000 1000000 10000000`
//!
//! Each size has its own database in the directory, made when missing. The first 20 accounts are busy: all of the first
//! 10 000 rows are theirs, and one in twenty after that. The others have about 500 rows each. An account talks to four
//! others; a conversation goes on for some messages, among many others at the same time; each message is archived for
//! both sides. "Warm" pages are in the memory of the operating system; for "cold" ones the file was dropped from it. Pages
//! of all sizes are read in turn, so that whatever else the machine does weighs on all of them alike.

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use magpie::storage::{
    AccountId, ArchivePage, ArchiveQuery, ArchiveRow, ArchiveShelf, PageFrom, Storage, StorageOptions,
};

type Outcome<T> = Result<T, Box<dyn Error>>;

const BUSY_ACCOUNTS: usize = 20;
const ROWS_PER_ACCOUNT: u64 = 500;
const NEIGHBOURS: usize = 2;
const OPEN_CONVERSATIONS: usize = 200;
const BATCH_ROWS: usize = 4096;
const PAGE: u32 = 50;
const WARM_ROUNDS: usize = 1500;
const COLD_ROUNDS: usize = 40;

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut arguments = env::args().skip(1);
    let directory = PathBuf::from(arguments.next().ok_or("the directory, then the numbers of rows")?);
    let mut chats = Vec::new();
    for rows in arguments {
        let options = StorageOptions { batch_max: BATCH_ROWS, ..StorageOptions::in_dir(directory.join(&rows)) };
        let mut chat = Chat::open(options.clone()).await?;
        chat.fill(rows.parse()?).await?;
        // As after a restart: the log folded in, the caches empty.
        chat.storage.close().await?;
        chat.storage = Storage::open(options).await?;
        let bytes = fs::metadata(chat.storage.path())?.len();
        println!("{rows} rows, {} accounts, {} MiB", chat.accounts.len(), bytes >> 20);
        chats.push(chat);
    }
    measure(&mut chats, false).await?;
    measure(&mut chats, true).await?;
    for chat in &mut chats {
        expire(chat).await?;
        chat.storage.close().await?;
    }
    Ok(())
}

/// Deletes the oldest tenth while somebody goes on writing, who should not notice.
async fn expire(chat: &mut Chat) -> Outcome<()> {
    let (before, started) = (cpu_us()?, Instant::now());
    let storage = chat.storage.clone();
    let before_us = chat.now_us / 10;
    let expiry = tokio::spawn(async move { storage.archive_expire(ArchiveShelf::Accounts, before_us).await });
    let mut waits = Timing::default();
    while !expiry.is_finished() {
        let asked = Instant::now();
        chat.message();
        chat.storage.barrier().await?;
        waits.micros.push(asked.elapsed().as_secs_f64() * 1e6);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let deleted = expiry.await??;
    println!(
        "deleted {deleted} rows in {:.1} s: {:.1} us CPU each; messages meanwhile took {:.0} us (p50), {:.0} (p99), {:.0} (max)",
        started.elapsed().as_secs_f64(),
        (cpu_us()? - before) / deleted.max(1) as f64,
        waits.percentile(50),
        waits.percentile(99),
        waits.percentile(100),
    );
    Ok(())
}

/// Xorshift: the same chat each time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }
}

struct Chat {
    storage: Storage,
    random: Random,
    accounts: Vec<AccountId>,
    rows: u64,
    now_us: i64,
    /// Who talks to whom, and how many messages are left to say.
    open: Vec<(usize, usize, usize)>,
}

fn jid(n: usize) -> String {
    format!("user{n}@one.example")
}

impl Chat {
    fn peer(&self, account: usize, offset: usize) -> usize {
        (account + offset + 1) % self.pool(account)
    }

    /// Busy accounts talk to each other, the rest to all.
    fn pool(&self, account: usize) -> usize {
        if account < BUSY_ACCOUNTS { BUSY_ACCOUNTS } else { self.accounts.len() }
    }

    /// With the accounts of an earlier run.
    async fn open(options: StorageOptions) -> Outcome<Self> {
        let storage = Storage::open(options).await?;
        let random = Random(88_172_645_463_325_252);
        let mut chat = Self { storage, random, accounts: Vec::new(), rows: 0, now_us: 0, open: Vec::new() };
        while let Some(record) = chat.storage.account(&jid(chat.accounts.len())).await? {
            chat.accounts.push(record.account.id);
        }
        for &account in &chat.accounts {
            chat.rows += chat.storage.archive_count(account, &ArchiveQuery::default(), u32::MAX).await?;
            let bounds = chat.storage.archive_bounds(account).await?;
            chat.now_us = bounds.map_or(chat.now_us, |(_, last)| last.max(chat.now_us));
        }
        Ok(chat)
    }

    async fn fill(&mut self, rows: u64) -> Outcome<()> {
        let (before, started, from) = (cpu_us()?, Instant::now(), self.rows);
        let accounts = BUSY_ACCOUNTS.max(usize::try_from(rows / ROWS_PER_ACCOUNT)?);
        while self.accounts.len() < accounts {
            let commits: Vec<_> = (self.accounts.len()..accounts.min(self.accounts.len() + 1000))
                .map(|n| self.storage.account_create(&jid(n), 0, Vec::new()))
                .collect();
            for commit in commits {
                self.accounts.push(commit.await?);
            }
        }
        self.open.clear();
        while self.rows < rows {
            for _ in 0..BATCH_ROWS / 2 {
                self.message();
            }
            self.storage.barrier().await?;
        }
        let added = self.rows - from;
        if added > 0 {
            println!(
                "stored {added} rows: {:.1} us CPU each, {:.0} rows/s",
                (cpu_us()? - before) / added as f64,
                added as f64 / started.elapsed().as_secs_f64()
            );
        }
        Ok(())
    }

    /// Somebody says something in one of the open conversations.
    fn message(&mut self) {
        if self.open.len() < OPEN_CONVERSATIONS {
            let busy = self.accounts.len() <= BUSY_ACCOUNTS || self.random.below(20) == 0;
            let account = if busy {
                self.random.below(BUSY_ACCOUNTS)
            } else {
                BUSY_ACCOUNTS + self.random.below(self.accounts.len() - BUSY_ACCOUNTS)
            };
            let offset = self.random.below(NEIGHBOURS);
            let said = 1 + self.random.below(40);
            self.open.push((account, self.peer(account, offset), said));
        }
        let place = self.random.below(self.open.len());
        let (mut from, mut to, left) = self.open[place];
        self.open[place].2 -= 1;
        if left == 1 {
            self.open.swap_remove(place);
        }
        if self.random.below(2) == 0 {
            std::mem::swap(&mut from, &mut to);
        }
        self.now_us += 1000;
        let id = format!("{:016x}", self.random.0);
        let stanza: Arc<str> = format!(
            "<message from='{}/phone' to='{}' type='chat' id='{id}'><body>{}</body><origin-id xmlns='urn:xmpp:sid:0' \
             id='{id}'/><markable xmlns='urn:xmpp:chat-markers:0'/></message>",
            jid(from),
            jid(to),
            "lorem ipsum ".repeat(self.random.below(10))
        )
        .into();
        for (account, peer) in [(from, to), (to, from)] {
            let row = ArchiveRow {
                subject: None,
                owner: self.accounts[account].into(),
                id: self.storage.archive_id(self.now_us),
                peer: jid(peer).into(),
                resource: (account == to).then(|| "phone".into()),
                mark: Storage::archive_mark(Some(&id)),
                stanza: Arc::clone(&stanza),
            };
            self.storage.archive_store(row, Box::new(|result| result.expect("the disk has room")));
            self.rows += 1;
        }
    }
}

const KINDS: [&str; 6] =
    ["newest", "the 4 before it", "with one, newest", "with one, the 4 before it", "from a moment on", "by 50 ids"];

async fn measure(chats: &mut [Chat], cold: bool) -> Outcome<()> {
    let mut series = Vec::new();
    for (n, chat) in chats.iter().enumerate() {
        series.push((n, 0..BUSY_ACCOUNTS));
        if chat.accounts.len() > BUSY_ACCOUNTS {
            series.push((n, BUSY_ACCOUNTS..chat.accounts.len()));
        }
    }
    let names = series
        .iter()
        .map(|(n, group)| format!("{:>12}{}", chats[*n].rows, if group.start == 0 { " busy  " } else { " others" }));
    println!("{:<28}{}", if cold { "cold: us, p10 p50" } else { "warm: us, p10 p50" }, names.collect::<String>());
    for kind in KINDS {
        let mut timings: Vec<Timing> = series.iter().map(|_| Timing::default()).collect();
        for _ in 0..if cold { COLD_ROUNDS } else { WARM_ROUNDS } {
            for ((n, group), timing) in series.iter().zip(&mut timings) {
                let chat = &mut chats[*n];
                if cold {
                    forget(chat.storage.path())?;
                }
                let account = group.start + chat.random.below(group.len());
                pages(chat, account, kind, timing).await?;
            }
        }
        let columns = timings.iter_mut().map(|t| format!("{:>12.0}{:>7.0}", t.percentile(10), t.percentile(50)));
        println!("  {kind:<26}{}", columns.collect::<String>());
    }
    Ok(())
}

#[derive(Default)]
struct Timing {
    micros: Vec<f64>,
}

impl Timing {
    fn percentile(&mut self, percent: usize) -> f64 {
        self.micros.sort_by(f64::total_cmp);
        self.micros.get(self.micros.len().saturating_sub(1) * percent / 100).copied().unwrap_or(f64::NAN)
    }
}

/// One page, or some in a row, of one account.
async fn pages(chat: &mut Chat, account: usize, kind: &str, timing: &mut Timing) -> Outcome<()> {
    let (storage, id) = (chat.storage.clone(), chat.accounts[account]);
    let mut query = ArchiveQuery::default();
    if kind.starts_with("with one") {
        let offset = chat.random.below(NEIGHBOURS);
        query.peer = Some(jid(chat.peer(account, offset)));
    }
    let mut from = PageFrom::Newest;
    if kind == "from a moment on" {
        let Some((first, last)) = storage.archive_bounds(id).await? else { return Ok(()) };
        query.after = first + (last - first) / 100 * chat.random.below(100) as i64;
        from = PageFrom::Oldest;
    }
    if kind == "by 50 ids" {
        let found = page(&storage, id, &query, from, timing, false).await?;
        query.ids = Some(found.messages.iter().map(|message| message.id).collect());
    }
    if !kind.ends_with("before it") {
        page(&storage, id, &query, from, timing, true).await?;
        return Ok(());
    }
    let mut found = page(&storage, id, &query, from, timing, false).await?;
    for _ in 0..4 {
        let Some(first) = found.messages.first() else { break };
        query.before = first.id;
        found = page(&storage, id, &query, from, timing, true).await?;
    }
    Ok(())
}

async fn page(
    storage: &Storage,
    id: AccountId,
    query: &ArchiveQuery,
    from: PageFrom,
    timing: &mut Timing,
    counts: bool,
) -> Outcome<ArchivePage> {
    let started = Instant::now();
    let page = storage.archive_page(id, query, from, PAGE, u64::MAX).await?;
    // Pages that are not full would look cheap.
    if counts && page.messages.len() == PAGE as usize {
        timing.micros.push(started.elapsed().as_secs_f64() * 1e6);
    }
    Ok(page)
}

/// Drops a file from the operating system's cache.
fn forget(path: &Path) -> Outcome<()> {
    let file = format!("if={}", path.display());
    let status = Command::new("dd").args([file.as_str(), "iflag=nocache", "count=0", "status=none"]).status()?;
    if status.success() { Ok(()) } else { Err("dd".into()) }
}

/// What all threads of this process have used, in microseconds.
fn cpu_us() -> Outcome<f64> {
    let mut total = 0.0;
    for task in fs::read_dir("/proc/self/task")? {
        let stat = fs::read_to_string(task?.path().join("schedstat"))?;
        total += stat.split(' ').next().unwrap_or_default().parse::<f64>()? / 1e3;
    }
    Ok(total)
}
