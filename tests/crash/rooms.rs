//! Rooms under `kill -9`: what a room reflected is in its archive, exactly once, in the order in which it was reflected; and
//! so is everything that was acknowledged. The subject is the last one that is in the archive.

use crate::client::{Client, Over, attribute};
use crate::process::{Process, TestDir};
use crate::random::Random;
use crate::{PATIENCE, register};
use std::collections::HashMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

const ROOM: &str = "cave@conference.im.example";
const MEMBERS: usize = 4;
/// Messages between two pings.
const BURST: usize = 8;

fn name(member: usize) -> String {
    format!("witch{member}")
}

/// What members know, of all their visits.
#[derive(Default)]
struct Known {
    /// The ids of what was reflected, in the order of reading, by visit.
    visits: Vec<Vec<String>>,
    acknowledged: Vec<String>,
}

pub(crate) async fn run(seed: u64, kills: u64) {
    let dir = TestDir::new(seed.wrapping_add(1));
    let mut process = Process::start(&dir).await;
    register(process.address(), (0..MEMBERS).map(name)).await;
    make(process.address()).await.expect("a room");
    let mut random = Random::new(seed, 7);
    let mut known = Known::default();
    for life in 0..kills {
        let address = process.ready().await;
        let mut members = JoinSet::new();
        for member in 0..MEMBERS {
            members.spawn(attend(address, member, life));
        }
        sleep_until(Instant::now() + Duration::from_micros(200_000 + random.below(500_000))).await;
        process.kill();
        let everybody = async {
            while let Some(found) = members.join_next().await {
                let (read, acknowledged) = found.expect("a member");
                known.visits.push(read);
                known.acknowledged.extend(acknowledged);
            }
        };
        timeout(PATIENCE, everybody).await.expect("everybody notices");
        process = Process::spawn(&dir);
    }
    process.ready().await;
    process.kill();
    let (archive, subject) = dir.room(ROOM).await;
    check(&archive, &known);
    check_subject(&archive, subject.as_deref());
}

/// A room that stays.
async fn make(address: SocketAddr) -> Result<(), Over> {
    let mut owner = Client::login(address, &name(0), "make").await?;
    owner.write(&join("owner")).await?;
    owner.until("<message").await?;
    let field = |var: &str, value: &str| format!("<field var='{var}'><value>{value}</value></field>");
    let form = field("FORM_TYPE", "http://jabber.org/protocol/muc#roomconfig")
        + &field("muc#roomconfig_persistentroom", "1")
        + &field("muc#roomconfig_changesubject", "1");
    owner
        .write(&format!(
            "<iq type='set' id='c' to='{ROOM}'><query xmlns='http://jabber.org/protocol/muc#owner'>\
             <x xmlns='jabber:x:data' type='submit'>{form}</x></query></iq>"
        ))
        .await?;
    let answer = owner.until("<iq").await?;
    assert_eq!(attribute(&answer, "type"), Some("result"), "{answer}");
    owner.end_orderly().await.for_each(drop);
    Ok(())
}

fn join(nick: &str) -> String {
    format!(
        "<presence to='{ROOM}/{nick}'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>"
    )
}

/// One visit, until the server is dead: what was read, and what was acknowledged.
async fn attend(address: SocketAddr, member: usize, life: u64) -> (Vec<String>, Vec<String>) {
    let (mut read, mut acknowledged) = (Vec::new(), Vec::new());
    // It ends with the server.
    let Err(Over) = talk(address, member, life, &mut read, &mut acknowledged).await;
    (read, acknowledged)
}

async fn talk(
    address: SocketAddr,
    member: usize,
    life: u64,
    read: &mut Vec<String>,
    acknowledged: &mut Vec<String>,
) -> Result<std::convert::Infallible, Over> {
    let mut client = Client::login(address, &name(member), "work").await?;
    client.write(&join(&name(member))).await?;
    for burst in 0.. {
        let ids: Vec<String> = (0..BURST).map(|n| format!("{member}-{life}-{burst}-{n}")).collect();
        let mut xml = String::new();
        for (n, id) in ids.iter().enumerate() {
            let what = if n == 0 { "subject" } else { "body" };
            let _ = write!(xml, "<message to='{ROOM}' type='groupchat' id='{id}'><{what}>{id}</{what}></message>");
        }
        client.write(&xml).await?;
        let ping = client.ping().await?;
        loop {
            let element = client.next().await?;
            let id = attribute(&element, "id");
            if element.starts_with("<message") && attribute(&element, "type") == Some("groupchat") {
                read.extend(id.map(str::to_owned));
            } else if element.starts_with("<iq") && id == Some(&ping) {
                acknowledged.extend(ids);
                break;
            }
        }
    }
    Err(Over)
}

fn check(archive: &[String], known: &Known) {
    let mut place = HashMap::new();
    for (at, stanza) in archive.iter().enumerate() {
        let id = attribute(stanza, "id").unwrap_or_else(|| panic!("no id: {stanza}"));
        assert_eq!(place.insert(id.to_owned(), at), None, "{id} is there twice");
    }
    for id in &known.acknowledged {
        assert!(place.contains_key(id), "{id} was acknowledged and is lost");
    }
    for visit in &known.visits {
        let places: Vec<usize> =
            visit.iter().map(|id| *place.get(id).unwrap_or_else(|| panic!("{id} was reflected and is lost"))).collect();
        assert!(places.is_sorted(), "reflected in another order than archived: {visit:?}");
    }
    let read: usize = known.visits.iter().map(Vec::len).sum();
    println!("archived {}, read {read}, acknowledged {}", archive.len(), known.acknowledged.len());
    assert!(!archive.is_empty() && read > 0, "nothing happened");
}

/// Both are written at once.
fn check_subject(archive: &[String], subject: Option<&str>) {
    let last = archive.iter().rfind(|stanza| stanza.contains("<subject>")).and_then(|stanza| attribute(stanza, "id"));
    assert_eq!(
        subject.and_then(|stanza| attribute(stanza, "id")),
        last,
        "the room has another subject than its archive"
    );
}
