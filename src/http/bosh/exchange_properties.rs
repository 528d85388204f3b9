//! What holds for whatever comes.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What a network does with a request or its answer.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Arrives,
    /// The connection breaks before the answer; the client repeats the request.
    Breaks,
    Delayed,
}

proptest! {
    /// A client that keeps the rules, over a network that loses connections and changes the order, says everything once
    /// and in order, and hears everything once and in order.
    #[test]
    fn nothing_is_lost_doubled_or_reordered(
        fates in prop::collection::vec(
            prop_oneof![4 => Just(Fate::Arrives), 1 => Just(Fate::Breaks), 1 => Just(Fate::Delayed)], 1..60),
        says in prop::collection::vec(0u8..3, 60),
    ) {
        let names: Vec<&'static str> = (0..200).map(|n| &*Box::leak(n.to_string().into_boxed_str())).collect();
        let mut play = Play::begin(terms());
        let (mut rid, mut spoken, mut waiters) = (FIRST, Vec::new(), names.into_iter());
        let mut sent: BTreeMap<u64, Body> = BTreeMap::new();
        let mut owner: BTreeMap<&'static str, u64> = BTreeMap::new();
        let mut got: BTreeMap<u64, String> = BTreeMap::new();
        let mut delayed: Vec<Body> = Vec::new();
        for (step, fate) in fates.iter().enumerate() {
            play.now_ms += 6_000;
            // It has no more than two that are not answered, nor goes on without the answer to an older one.
            if sent.keys().next().is_none_or(|oldest| rid - oldest < 1) {
                rid += 1;
                let body = saying(rid, &format!("<s{rid}/>"));
                sent.insert(rid, body.clone());
                match fate {
                    Fate::Delayed if delayed.is_empty() => delayed.push(body),
                    fate => {
                        let waiter = waiters.next().expect("a name");
                        owner.insert(waiter, rid);
                        play.get(waiter, body);
                        if matches!(fate, Fate::Breaks) {
                            play.exchange.lost(play.now_ms, |other| *other == waiter);
                            owner.remove(waiter);
                            delayed.extend(sent.get(&rid).cloned());
                        }
                    }
                }
            } else {
                for body in std::mem::take(&mut delayed) {
                    let waiter = waiters.next().expect("a name");
                    owner.insert(waiter, body.rid);
                    play.get(waiter, body);
                }
            }
            for _ in 0..says[step] {
                if play.exchange.can_take() {
                    let element = format!("<r{}/>", spoken.len());
                    play.say(&element);
                    spoken.push(element);
                }
            }
            for (waiter, text) in play.settled() {
                let Some(rid) = owner.remove(waiter) else { continue };
                prop_assert!(!text.contains("terminate"), "{rid}: {text}");
                if text != AGAIN {
                    let before = got.insert(rid, text.clone());
                    prop_assert!(before.is_none_or(|before| before == text));
                    sent.remove(&rid);
                }
            }
        }
        let heard: Vec<String> = (FIRST + 1..).take(play.heard.len() - 1).map(|rid| format!("<s{rid}/>")).collect();
        prop_assert_eq!(&play.heard[1..], &heard[..]);
        let all: String = got.values().map(|text| text.split_once('>').map_or("", |(_, rest)| rest)).collect();
        prop_assert_eq!(all.replace("</body>", ""), spoken.concat());
    }

    /// Whatever comes, nothing grows beyond its bounds, and payloads are taken in the order of their rids.
    #[test]
    fn nothing_grows(
        rids in prop::collection::vec((0u64..12, any::<bool>(), 0u8..8), 0..80),
        hold in 0usize..3,
    ) {
        let mut play = Play::begin(Terms { hold, requests: hold + 1, polling_ms: 1, ..terms() });
        for (offset, breaks, what) in rids {
            play.now_ms += 100;
            let rid = FIRST.saturating_sub(4) + offset;
            let body = match what {
                0 => empty(rid),
                1 => Body { pause: Some(3), ..empty(rid) },
                2 => Body { restart: true, ..empty(rid) },
                3 => Body { terminates: true, ..saying(rid, "<t/>") },
                _ => saying(rid, &rid.to_string()),
            };
            play.get("w", body);
            if breaks {
                play.exchange.lost(play.now_ms, |_| true);
            } else if play.exchange.can_take() {
                play.say("<x/>");
            }
            play.settled();
            prop_assert!(play.exchange.open.len() <= hold.max(1) + 2 && play.exchange.early.len() <= hold + 2);
            prop_assert!(play.exchange.answers.len() <= hold + 2);
        }
        let taken: Vec<u64> = play.heard.iter().filter_map(|text| text.parse().ok()).collect();
        prop_assert!(taken.is_sorted(), "{:?}", play.heard);
    }
}
