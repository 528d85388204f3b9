//! Prints what one message costs: framing, reading, printing. Run in release.

use std::hint::black_box;
use std::time::Instant;

use xep_support::jid::Jid;
use xep_support::stanza::{Print, Stanza};
use xep_support::xml::{Element, Event, FrameLimits, Framer, StreamContext};

const MESSAGE: &str = "<message to='juliet@capulet.example/balcony' from='romeo@montague.example/orchard' type='chat' \
                       id='c5f0d1a2-4a3e-4c5f'><body>Neither, fair saint, if either thee dislike.</body>\
                       <active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/></message>";
const ROUNDS: u32 = 200_000;

fn main() {
    let cx = StreamContext::client().with_prefix("stream", "http://etherx.jabber.org/streams");
    let to: Jid = Jid::parse("juliet@capulet.example/balcony").expect("a JID");
    println!("message of {} bytes", MESSAGE.len());
    measure("framer", || {
        let mut framer = framer();
        black_box(frame(&mut framer));
    });
    measure("parse", || {
        black_box(Stanza::parse(black_box(MESSAGE.as_bytes()), &cx)).expect("a message");
    });
    measure("tree", || {
        black_box(Element::parse(black_box(MESSAGE), "jabber:client")).expect("an element");
    });
    measure("parse JIDs", || {
        black_box(Jid::parse(black_box("juliet@capulet.example/balcony"))).expect("a JID");
        black_box(Jid::parse(black_box("romeo@montague.example/orchard"))).expect("a JID");
    });
    let stanza = Stanza::parse(MESSAGE.as_bytes(), &cx).expect("a message");
    let mut out = Vec::new();
    measure("print", || {
        out.clear();
        black_box(&stanza).write(&mut out, &Print { to: Some(&to), ..Print::default() });
        black_box(&out);
    });
    measure("framer + parse + print", || {
        let mut framer = framer();
        let range = frame(&mut framer);
        let stanza = Stanza::parse(&MESSAGE.as_bytes()[range], &cx).expect("a message");
        out.clear();
        stanza.write(&mut out, &Print::default());
        black_box(&out);
    });
}

/// A framer that has read a stream header.
fn framer() -> Framer {
    let mut framer = Framer::new(FrameLimits { header_bytes_max: 1024, element_bytes_max: 65536, depth_max: 64 });
    let header = b"<s>";
    assert!(matches!(framer.next(header), Ok(Some(Event::Header(_)))));
    framer.shift(header.len());
    framer
}

fn frame(framer: &mut Framer) -> std::ops::Range<usize> {
    match framer.next(black_box(MESSAGE.as_bytes())) {
        Ok(Some(Event::Element(range))) => range,
        other => panic!("{other:?}"),
    }
}

fn measure(what: &str, mut once: impl FnMut()) {
    // The best of a few runs: the machine may be doing something else.
    let run = |once: &mut dyn FnMut()| {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            once();
        }
        start.elapsed().as_nanos() as f64 / f64::from(ROUNDS)
    };
    let best = (0..7).map(|_| run(&mut once)).fold(f64::INFINITY, f64::min);
    println!("{what:24} {best:7.0} ns");
}
