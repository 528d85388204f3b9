use super::*;

const FIRST: u64 = 1_000;

fn terms() -> Terms {
    Terms {
        hold: 1,
        requests: 2,
        wait_ms: 60_000,
        inactivity_ms: 30_000,
        polling_ms: 5_000,
        maxpause_ms: 120_000,
        acks: false,
        is_legacy: false,
    }
}

fn created(terms: &Terms) -> Created {
    Created {
        sid: "s".into(),
        ver: Some((1, 11)),
        wait: 60,
        hold: 1,
        requests: 2,
        inactivity: 30,
        polling: 5,
        maxpause: 120,
        ack: terms.acks.then_some(FIRST),
    }
}

/// A session, and what became of it.
struct Play {
    exchange: Exchange<&'static str>,
    now_ms: u64,
    heard: Vec<String>,
    replies: Vec<(&'static str, String)>,
}

fn empty(rid: u64) -> Body {
    Body { rid, ..Body::default() }
}

fn saying(rid: u64, payload: &str) -> Body {
    Body { payload: payload.into(), payloads: 1, ..empty(rid) }
}

const NOTHING: &str = "<body xmlns='http://jabber.org/protocol/httpbind'/>";
const AGAIN: &str = "<body xmlns='http://jabber.org/protocol/httpbind' type='error'/>";

fn end(condition: &str) -> String {
    format!("<body xmlns='http://jabber.org/protocol/httpbind' type='terminate' condition='{condition}'/>")
}

fn with(payload: &str) -> String {
    format!("<body xmlns='http://jabber.org/protocol/httpbind'>{payload}</body>")
}

impl Play {
    /// A session whose first request, 1000, has been answered.
    fn begin(terms: Terms) -> Self {
        Self::begin_with(terms, empty(FIRST))
    }

    fn begin_with(terms: Terms, first: Body) -> Self {
        let mut effects = Effects::default();
        let made = created(&terms);
        let exchange = Exchange::begin(0, terms, made, first, "first", &mut effects).expect("a session");
        let mut play = Self { exchange, now_ms: 0, heard: Vec::new(), replies: Vec::new() };
        play.note(effects);
        assert_eq!(play.settled(), [], "the first answer comes with the features");
        play.exchange.opened(Opened { id: "i".into(), from: None });
        play.say("<features/>");
        let (to, first) = play.replies.pop().expect("an answer");
        assert!(to == "first" && first.contains("sid='s'") && first.contains("authid='i'"), "{first}");
        play.now_ms = 10_000;
        play
    }

    fn note(&mut self, effects: Effects<&'static str>) {
        for input in effects.input {
            self.heard.push(match input {
                Input::Open(body) => format!("open {}", body.rid),
                Input::Elements(elements) => elements,
                Input::Close => "close".into(),
            });
        }
        let text = |reply: Reply| {
            let status = if reply.status == 200 { String::new() } else { format!("{} ", reply.status) };
            status + std::str::from_utf8(&reply.body).expect("text")
        };
        self.replies.extend(effects.replies.into_iter().map(|(waiter, reply)| (waiter, text(reply))));
    }

    fn get(&mut self, waiter: &'static str, body: Body) {
        let mut effects = Effects::default();
        self.exchange.receive(self.now_ms, body, waiter, &mut effects);
        self.note(effects);
    }

    /// The stream's turn is over: which answers there are now.
    fn settled(&mut self) -> Vec<(&'static str, String)> {
        let mut effects = Effects::default();
        self.exchange.settle(self.now_ms, false, &mut effects);
        self.note(effects);
        std::mem::take(&mut self.replies)
    }

    fn say(&mut self, elements: &str) {
        assert!(self.exchange.can_take());
        let mut effects = Effects::default();
        self.exchange.send(self.now_ms, elements, &mut effects);
        self.note(effects);
    }

    #[track_caller]
    fn answers(&mut self, expected: &[(&'static str, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(waiter, text)| (*waiter, (*text).to_owned())).collect();
        assert_eq!(self.settled(), expected);
    }
}

#[test]
fn one_is_held_and_the_older_one_answered() {
    let mut play = Play::begin(terms());
    play.get("a", saying(1001, "<x/>"));
    play.answers(&[]);
    play.get("b", saying(1002, "<y/>"));
    play.answers(&[("a", NOTHING)]);
    play.say("<z/>");
    play.answers(&[("b", &with("<z/>"))]);
    assert_eq!(play.heard, ["open 1000", "<x/>", "<y/>"]);
    assert!(!play.exchange.can_take());
}

#[test]
fn rids_that_come_out_of_order_are_taken_in_order() {
    let mut play = Play::begin(terms());
    play.get("b", saying(1002, "<y/>"));
    play.answers(&[]);
    assert_eq!(play.heard, ["open 1000"]);
    play.get("a", saying(1001, "<x/>"));
    play.answers(&[("a", NOTHING)]);
    assert_eq!(play.heard, ["open 1000", "<x/>", "<y/>"]);
}

#[test]
fn a_rid_beyond_the_window_ends_the_session() {
    for (rid, body) in [(1003, empty(1003)), (1004, Body { pause: Some(10), ..empty(1004) })] {
        let mut play = Play::begin(terms());
        play.get("a", body);
        play.answers(&[("a", &end("item-not-found"))]);
        assert!(play.exchange.is_over(), "{rid}");
        play.get("b", empty(1001));
        play.answers(&[("b", &end("item-not-found"))]);
    }
}

#[test]
fn who_waits_hears_that_another_request_ended_the_session() {
    let mut play = Play::begin(terms());
    play.get("a", empty(1001));
    play.get("b", empty(1700));
    play.answers(&[("b", &end("item-not-found")), ("a", &end("other-request"))]);
}

#[test]
fn too_many_at_a_time_are_too_many() {
    let mut play = Play::begin(terms());
    play.get("a", saying(1001, "<x/>"));
    play.get("c", saying(1003, "<z/>"));
    play.get("b", saying(1002, "<y/>"));
    let other = end("other-request");
    play.answers(&[("b", &end("policy-violation")), ("a", &other), ("c", &other)]);
    assert_eq!(play.heard, ["open 1000", "<x/>"]);
}

#[test]
fn one_more_is_allowed_to_pause_or_to_end() {
    let mut play = Play::begin(terms());
    play.get("a", saying(1001, "<x/>"));
    play.get("b", saying(1002, "<y/>"));
    play.get("c", Body { terminates: true, ..empty(1003) });
    play.answers(&[]);
    assert_eq!(play.heard, ["open 1000", "<x/>", "<y/>", "close"]);
    let mut effects = Effects::default();
    play.exchange.finish(play.now_ms, None, "", &mut effects);
    play.note(effects);
    let over = NOTHING.replace("/>", " type='terminate'/>");
    play.answers(&[("a", &over), ("b", NOTHING), ("c", NOTHING)]);
}

#[test]
fn an_empty_request_beside_one_that_is_held_comes_too_soon() {
    let mut play = Play::begin(terms());
    play.get("a", empty(1001));
    play.now_ms += 3_749;
    play.get("b", empty(1002));
    play.answers(&[("b", &end("policy-violation")), ("a", &end("other-request"))]);
    // Not when there is something in it, nor later, nor with a pause.
    for (later, body) in [(0, saying(1002, "<x/>")), (3_750, empty(1002)), (0, Body { restart: true, ..empty(1002) })] {
        let mut play = Play::begin(terms());
        play.get("a", empty(1001));
        play.now_ms += later;
        play.get("b", body);
        play.answers(&[("a", NOTHING)]);
    }
}

#[test]
fn a_polling_session_is_answered_at_once_and_must_not_ask_too_often() {
    let mut play = Play::begin(Terms { hold: 0, requests: 1, wait_ms: 0, ..terms() });
    play.get("a", empty(1001));
    play.answers(&[("a", NOTHING)]);
    play.now_ms += 4_999;
    play.get("b", saying(1002, "<x/>"));
    play.say("<y/>");
    play.answers(&[("b", &with("<y/>"))]);
    play.get("c", empty(1003));
    play.answers(&[("c", NOTHING)]);
    play.now_ms += 5_000;
    play.get("d", empty(1004));
    play.answers(&[("d", NOTHING)]);
    // Somewhat earlier is no offence: the one before may have come late.
    play.now_ms += 3_750;
    play.get("e", empty(1005));
    play.answers(&[("e", NOTHING)]);
    play.now_ms += 3_749;
    play.get("f", empty(1006));
    play.answers(&[("f", &end("policy-violation"))]);
}

#[test]
fn an_answer_comes_at_the_latest_when_the_wait_is_over() {
    let mut play = Play::begin(terms());
    play.get("a", empty(1001));
    assert_eq!(play.exchange.deadline_ms(false), Some(70_000));
    assert_eq!(play.exchange.deadline_ms(true), None, "the stream has to catch up first");
    play.now_ms = 69_999;
    play.answers(&[]);
    play.now_ms = 70_000;
    play.answers(&[("a", NOTHING)]);
    assert_eq!(play.exchange.deadline_ms(false), Some(100_000), "then the client has to come again");
}

#[test]
fn silence_ends_the_session() {
    let mut play = Play::begin(terms());
    let is_over = |play: &mut Play, at| play.exchange.settle(at, false, &mut Effects::default());
    assert!(!is_over(&mut play, 29_999) && is_over(&mut play, 30_000));
    // Not while somebody waits, but when its connection broke.
    play.get("a", empty(1001));
    assert!(!is_over(&mut play, 69_999));
    play.exchange.lost(20_000, |waiter| *waiter == "a");
    assert!(!is_over(&mut play, 49_999) && is_over(&mut play, 50_000));
}

#[test]
fn a_pause_answers_all_and_allows_a_longer_silence() {
    let mut play = Play::begin(terms());
    play.get("a", empty(1001));
    play.get("b", Body { pause: Some(120), ..empty(1002) });
    play.answers(&[("a", NOTHING), ("b", NOTHING)]);
    assert_eq!(play.exchange.deadline_ms(false), Some(130_000));
    play.now_ms = 100_000;
    play.get("c", empty(1003));
    play.now_ms = 160_000;
    play.answers(&[("c", NOTHING)]);
    assert_eq!(play.exchange.deadline_ms(false), Some(190_000), "back to normal");
    play.get("d", Body { pause: Some(121), ..empty(1004) });
    play.answers(&[("d", &end("policy-violation"))]);
}

#[test]
fn who_asks_again_gets_the_same_answer() {
    let mut play = Play::begin(terms());
    play.get("a", empty(1001));
    play.say("<x/>");
    let first = play.settled();
    play.get("b", empty(1001));
    let (_, again) = play.settled().pop().expect("an answer");
    assert_eq!(first[0].1, again);
    // Two are kept: as many as there may be requests.
    for (at, waiter) in [(1002, "c"), (1003, "d"), (1004, "e")] {
        play.get(waiter, empty(at));
        play.say("<y/>");
    }
    play.settled();
    play.get("f", empty(1003));
    play.answers(&[("f", &with("<y/>"))]);
    play.get("g", empty(1002));
    play.answers(&[("g", &end("item-not-found"))]);
}

#[test]
fn who_asks_again_while_it_waits_takes_the_place() {
    let mut play = Play::begin(terms());
    play.get("a", saying(1001, "<x/>"));
    play.get("b", saying(1001, "<x/>"));
    play.answers(&[("a", AGAIN)]);
    play.say("<y/>");
    play.answers(&[("b", &with("<y/>"))]);
    // Also before its turn.
    play.get("c", saying(1003, "<z/>"));
    play.get("d", saying(1003, "<z/>"));
    play.answers(&[("c", AGAIN)]);
    assert_eq!(play.heard, ["open 1000", "<x/>"]);
}

#[test]
fn nobody_asks_for_ever() {
    let mut play = Play::begin(terms());
    for _ in 0..=REPEATS_MAX {
        play.get("a", empty(1001));
    }
    assert!(play.settled().iter().all(|(_, text)| text == AGAIN));
    play.get("z", empty(1001));
    play.answers(&[("z", &end("policy-violation")), ("a", &end("other-request"))]);
}

#[test]
fn what_was_lost_is_asked_for_when_one_behind_it_has_waited() {
    let mut play = Play::begin(terms());
    play.get("b", saying(1002, "<y/>"));
    play.now_ms += 60_000;
    play.answers(&[("b", AGAIN)]);
    play.get("a", saying(1001, "<x/>"));
    play.get("b", saying(1002, "<y/>"));
    play.answers(&[("a", NOTHING)]);
    assert_eq!(play.heard, ["open 1000", "<x/>", "<y/>"]);
}

#[test]
fn what_comes_early_and_is_long_comes_again() {
    let mut play = Play::begin(terms());
    let long = "x".repeat(EARLY_BYTES_MAX + 1);
    play.get("b", saying(1002, &long));
    play.answers(&[("b", AGAIN)]);
    play.get("a", saying(1001, "<x/>"));
    play.get("b", saying(1002, &long));
    play.answers(&[("a", NOTHING)]);
    assert_eq!(play.heard, ["open 1000", "<x/>", long.as_str()]);
}

#[test]
fn a_request_without_a_connection_takes_nothing() {
    let mut play = Play::begin(terms());
    play.get("a", empty(1001));
    play.exchange.lost(play.now_ms, |waiter| *waiter == "a");
    assert!(!play.exchange.can_take());
    play.get("b", empty(1001));
    play.say("<x/>");
    play.answers(&[("b", &with("<x/>"))]);
    // The next one answers for the one that is not there.
    play.get("c", saying(1002, "<y/>"));
    play.exchange.lost(play.now_ms, |waiter| *waiter == "c");
    play.get("d", saying(1003, "<z/>"));
    play.say("<x/>");
    play.answers(&[("d", &with("<x/>"))]);
    play.get("c", saying(1002, "<y/>"));
    play.answers(&[("c", NOTHING)]);
}

#[test]
fn nothing_is_answered_while_the_stream_is_behind() {
    let mut play = Play::begin(terms());
    play.get("a", saying(1001, "<x/>"));
    play.get("b", saying(1002, "<y/>"));
    play.now_ms += 90_000;
    let mut effects = Effects::default();
    assert!(!play.exchange.settle(play.now_ms, true, &mut effects) && effects.replies.is_empty());
    play.answers(&[("a", NOTHING), ("b", NOTHING)]);
}

#[test]
fn acknowledgements_go_both_ways() {
    let mut play = Play::begin_with(Terms { acks: true, ..terms() }, Body { ack: Some(1), ..empty(FIRST) });
    play.get("a", saying(1001, "<x/>"));
    play.get("b", saying(1002, "<y/>"));
    play.answers(&[("a", &NOTHING.replace("/>", " ack='1002'/>"))]);
    play.say("<z/>");
    play.answers(&[("b", &with("<z/>"))]);
    // It lacks the answer to 1002, which is quite old.
    play.now_ms += 2_500;
    play.get("c", Body { ack: Some(1001), ..empty(1003) });
    play.answers(&[("c", &NOTHING.replace("/>", " report='1002' time='2500'/>"))]);
    play.get("d", empty(1002));
    play.answers(&[("d", &with("<z/>"))]);
    // Saying nothing, it has everything.
    play.get("e", empty(1004));
    play.answers(&[]);
    play.get("f", empty(1003));
    play.answers(&[("f", &end("item-not-found")), ("e", &end("other-request"))]);
}

#[test]
fn a_wrong_key_ends_the_session_and_is_not_heard() {
    let key = "ca393b51b682f61f98e7877d61146407f3d0a770";
    let mut play = Play::begin_with(terms(), Body { newkey: Some(key.into()), ..empty(FIRST) });
    play.get("a", Body { key: Some(key.into()), ..saying(1001, "<x/>") });
    play.answers(&[("a", &end("item-not-found"))]);
    assert_eq!(play.heard, ["open 1000"]);
}

#[test]
fn a_stream_with_a_name_is_none() {
    let named = |body: Body| Body { stream: Some("second".into()), ..body };
    let mut play = Play::begin(terms());
    // §15.3: who asks for a second stream asks for what there is.
    play.get("a", Body { to: Some("other.example".into()), ..named(empty(1001)) });
    play.answers(&[]);
    play.get("b", named(saying(1002, "<x/>")));
    play.answers(&[("b", &end("item-not-found")), ("a", &end("other-request"))]);
    assert_eq!(play.heard, ["open 1000"]);
}

#[test]
fn a_client_that_knows_no_conditions_gets_errors_of_http() {
    let mut play = Play::begin(Terms { is_legacy: true, ..terms() });
    play.get("a", empty(1009));
    play.answers(&[("a", &format!("404 {}", end("item-not-found")))]);
    let mut play = Play::begin(Terms { is_legacy: true, ..terms() });
    play.get("a", Body { pause: Some(9_999), ..empty(1001) });
    play.answers(&[("a", &format!("403 {}", end("policy-violation")))]);
}

#[test]
fn what_is_said_at_the_end_reaches_the_next_request() {
    let mut play = Play::begin(terms());
    let mut effects = Effects::default();
    play.exchange.finish(play.now_ms, Some(Condition::SystemShutdown), "", &mut effects);
    assert!(effects.replies.is_empty() && play.exchange.is_over());
    play.get("a", empty(1001));
    play.answers(&[("a", &end("system-shutdown"))]);
}

#[path = "exchange_ends.rs"]
mod ends;
#[path = "exchange_properties.rs"]
mod properties;
