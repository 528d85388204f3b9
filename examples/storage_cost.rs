//! Prints the CPU time, all threads together, that the storage takes for each stored and each paged message.
//!
//! `cargo run --release --example storage_cost`

use std::{error::Error, fs, sync::Arc, time::Instant};

use magpie::storage::{AccountId, OfflineRow, RosterRow, Storage};

const ROWS: i64 = 40_000;
const ACCOUNTS: i64 = 1000;
const READS: u32 = 20_000;
const STANZA_BYTES: usize = 300;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let storage = Storage::temporary().await?;
    println!("open, empty: {:.1} ms", started.elapsed().as_secs_f64() * 1e3);
    println!("resident: {} KiB", resident_kib()?);

    let commits: Vec<_> =
        (0..ACCOUNTS).map(|n| storage.account_create(&format!("user{n}@one.example"), 0, Vec::new())).collect();
    let mut ids = Vec::new();
    for commit in commits {
        ids.push(commit.await?);
    }
    for batch in [1, 10, 100, 500] {
        store(&storage, &ids, batch).await?;
    }
    for rows in [20, 100] {
        page(&storage, &ids, rows).await?;
    }
    hand_out(&storage, &ids).await?;

    let row = |n| RosterRow { contact: format!("user{n}@one.example"), subscription: 3, ..RosterRow::default() };
    let before = cpu_us()?;
    let commits: Vec<_> = (0..20_000).map(|n| storage.roster_upsert(ids[n % 1000], row(n), 1)).collect();
    for commit in commits {
        // The queue takes fewer than this; the rest is refused.
        drop(commit.await);
    }
    report("roster upsert, each", before, 16_384)?;
    let before = cpu_us()?;
    for n in 0..READS {
        storage.roster_load(ids[n as usize % ids.len()]).await?;
    }
    report("roster of 16, each load", before, READS.into())?;
    let before = cpu_us()?;
    for n in 0..READS {
        storage.account(&format!("user{}@one.example", n % 1000)).await?;
    }
    report("account for a login, each", before, READS.into())?;
    println!("resident: {} KiB; {:?}", resident_kib()?, storage.stats());
    storage.close().await?;
    Ok(())
}

/// Stores messages in batches of `batch`, each awaited as a whole.
async fn store(storage: &Storage, ids: &[AccountId], batch: i64) -> Result<(), Box<dyn Error>> {
    let stanza: Arc<str> = "x".repeat(STANZA_BYTES).into();
    let rows = if batch < 10 { ROWS / 20 } else { ROWS };
    let (before, started) = (cpu_us()?, Instant::now());
    for start in (0..rows).step_by(batch as usize) {
        for n in start..start + batch {
            let account = ids[n as usize % ids.len()];
            let row = OfflineRow { account, stamp_us: n, expires_us: Some(n), stanza: Arc::clone(&stanza) };
            storage.offline_store(row, Box::new(|result| result.expect("the disk has room")));
        }
        storage.barrier().await?;
    }
    println!("{:.0} rows/s", rows as f64 / started.elapsed().as_secs_f64());
    report(&format!("store in batches of {batch}, each row"), before, rows)
}

async fn page(storage: &Storage, ids: &[AccountId], rows: u32) -> Result<(), Box<dyn Error>> {
    let before = cpu_us()?;
    for &id in ids {
        let page = storage.offline_page(id, 0, rows, u64::MAX).await?;
        assert_eq!(page.len(), rows as usize);
    }
    report(&format!("page of {rows}, each row"), before, i64::from(rows) * ACCOUNTS)
}

/// As at a login: a page, its removal, and a look whether there is more.
async fn hand_out(storage: &Storage, ids: &[AccountId]) -> Result<(), Box<dyn Error>> {
    let before = cpu_us()?;
    for _ in 0..4 {
        for &id in ids {
            storage.barrier().await?;
            let page = storage.offline_page(id, 0, 20, u64::MAX).await?;
            storage.handed_out(id, page.last().map_or(0, |message| message.id));
        }
    }
    report("barrier, page of 20, hand-out: each row", before, 80 * ACCOUNTS)
}

fn report(what: &str, before_us: u64, count: i64) -> Result<(), Box<dyn Error>> {
    println!("{what}: {:.2} us CPU", (cpu_us()? - before_us) as f64 / count as f64);
    Ok(())
}

/// User and system time of this process, in the kernel's ticks of 10 ms.
fn cpu_us() -> Result<u64, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    Ok((fields[11].parse::<u64>()? + fields[12].parse::<u64>()?) * 10_000)
}

fn resident_kib() -> Result<u64, Box<dyn Error>> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    Ok(statm.split(' ').nth(1).unwrap_or("0").parse::<u64>()? * 4)
}
