//! Tests of the framer: what it cuts, what it refuses, and that neither depends on how the bytes arrive.

use proptest::prelude::*;

use super::*;

const LIMITS: FrameLimits = FrameLimits { header_bytes_max: 400, element_bytes_max: 200, depth_max: 8 };
const OPEN: &str = "<stream:stream xmlns:stream='s' to=\"a>b/'\">";

/// Frames as texts; the header as `H…`, the close tag as `/`; an error as its name at the end.
fn frames(chunks: &[&[u8]]) -> Vec<String> {
    let mut framer = Framer::new(LIMITS);
    let mut buf = Vec::new();
    let mut out = Vec::new();
    for chunk in chunks {
        buf.extend_from_slice(chunk);
        loop {
            match framer.next(&buf) {
                Ok(None) => break,
                Ok(Some(Event::Header(r))) => out.push(format!("H{}", String::from_utf8_lossy(&buf[r]))),
                Ok(Some(Event::Element(r))) => out.push(String::from_utf8_lossy(&buf[r]).into_owned()),
                Ok(Some(Event::Close)) => out.push("/".to_owned()),
                Err(error) => {
                    assert_eq!(framer.next(&buf), Err(error), "an error stays");
                    out.push(format!("{error:?}"));
                    return out;
                }
            }
        }
        let done = framer.keep_from();
        buf.drain(..done);
        framer.shift(done);
        assert_eq!(buf.is_empty(), framer.is_idle());
    }
    out
}

fn after_open(xml: &str) -> Vec<String> {
    let mut out = frames(&[OPEN.as_bytes(), xml.as_bytes()]);
    assert_eq!(out.remove(0), format!("H{OPEN}"));
    out
}

#[test]
fn cuts_a_session() {
    let doc = format!(
        "<?xml version='1.0'?>\n{OPEN} \n<a/>\t<b x='/>' y=\"'>\"><c/>]]<![CDATA[<d></b>]]]]></b ><é>x</é></stream:stream >junk"
    );
    let want = [
        &format!("H<?xml version='1.0'?>\n{OPEN}"),
        "<a/>",
        "<b x='/>' y=\"'>\"><c/>]]<![CDATA[<d></b>]]]]></b >",
        "<é>x</é>",
        "/",
    ];
    assert_eq!(frames(&[doc.as_bytes()]), want);
    for split in 0..doc.len() {
        let (a, b) = doc.as_bytes().split_at(split);
        assert_eq!(frames(&[a, b]), want, "split at {split}");
    }
    for size in 1..40 {
        assert_eq!(frames(&doc.as_bytes().chunks(size).collect::<Vec<_>>()), want, "chunks of {size}");
    }
}

#[test]
fn cdata_is_not_fooled_by_short_ends() {
    for xml in ["<a><![CDATA[]]></a>", "<a><![CDATA[>]]></a>", "<a><![CDATA[]>]]></a>", "<a><![CDATA[]]]]></a>"] {
        assert_eq!(after_open(xml), [xml]);
    }
}

/// RFC 6120 §11.1.
#[test]
fn restricted_xml() {
    for xml in [
        "<!-- c -->",
        "<!DOCTYPE x>",
        "<?pi?>",
        "<?xml version='1.0'?>",
        "<a><!-- c --></a>",
        "<a><?pi?></a>",
        "<a><!E",
        "<a><![cdata[",
        "<a/><?",
    ] {
        assert_eq!(after_open(xml).last().map(String::as_str), Some("RestrictedXml"), "{xml}");
    }
    for doc in [
        "<!DOCTYPE x>",
        "<!-- -->",
        "<?pi?>",
        "<?xmlx?>",
        "<?xml?>",
        "<?xml version='1.0'?><?pi?>",
        "<?xml version='1.0'?><!DOCTYPE",
    ] {
        assert_eq!(frames(&[doc.as_bytes()]), ["RestrictedXml"], "{doc}");
    }
}

#[test]
fn not_well_formed() {
    for xml in [
        "text",
        "<a/>x",
        "&amp;",
        "\u{FEFF}<a/>",
        "<m/ >",
        "<m/x>",
        "< m>",
        "<1m>",
        "<:m>",
        "<>",
        "<m <",
        "<m a='<",
        "</other>",
        "</stream:strea>",
        "</>",
        "<![CDATA[x]]>",
        "\0",
    ] {
        assert_eq!(after_open(xml).last().map(String::as_str), Some("NotWellFormed"), "{xml}");
    }
    for doc in [
        "x",
        "\u{FEFF}<s>",
        "</s>",
        "<s/>",
        "<?xml version='1.0'>",
        "<?xml <s>",
        "<?xml version='1.0'?>x",
        "<![CDATA[x]]>",
    ] {
        assert_eq!(frames(&[doc.as_bytes()]), ["NotWellFormed"], "{doc}");
    }
}

#[test]
fn limits_hold_at_once_and_exactly() {
    let fits = format!("<a>{}</a>", "x".repeat(193));
    assert_eq!(fits.len(), 200);
    assert_eq!(after_open(&fits), [fits.as_str()]);
    let large = format!("<a>{}</a>", "x".repeat(194));
    assert_eq!(after_open(&large), ["ElementTooLarge"]);
    assert_eq!(after_open(&large[..199]), [""; 0]);
    assert_eq!(after_open(&large[..200]), ["ElementTooLarge"]);
    assert_eq!(after_open(&format!("</{}", " ".repeat(300))), ["ElementTooLarge"]);

    let header = format!("<s a='{}'>", "x".repeat(400 - 8));
    assert_eq!(frames(&[header.as_bytes()]), [format!("H{header}")]);
    let header = format!("<s a='{}'>", "x".repeat(401 - 8));
    assert_eq!(frames(&[&header.as_bytes()[..400]]), ["HeaderTooLarge"]);

    let deep = "<a>".repeat(8);
    assert_eq!(after_open(&format!("{deep}{}", "</a>".repeat(8))).len(), 1);
    assert_eq!(after_open(&format!("{deep}<b/>")), ["TooDeep"]);
    // White space between elements has no limit: it is dropped.
    assert_eq!(after_open(&format!("{}<a/>", " ".repeat(1000))), ["<a/>"]);
}

#[test]
fn the_window_never_hides_an_earlier_error() {
    let xml = format!("<a>{}<!--{}", "x".repeat(100), "y".repeat(300));
    assert_eq!(after_open(&xml), ["RestrictedXml"]);
    let xml = format!("<a>{}<!--", "x".repeat(300));
    assert_eq!(after_open(&xml), ["ElementTooLarge"]);
}

/// RFC 6120 §4.3.3, and bytes that came together with what caused the restart.
#[test]
fn restart() {
    let doc = format!("{OPEN}<auth/>\n<?xml version='1.0'?><x:stream><b/></x:stream>");
    let mut framer = Framer::new(LIMITS);
    let buf = doc.as_bytes();
    assert!(matches!(framer.next(buf), Ok(Some(Event::Header(_)))));
    assert!(matches!(framer.next(buf), Ok(Some(Event::Element(_)))));
    framer.restart();
    let Ok(Some(Event::Header(r))) = framer.next(buf) else { panic!("a header") };
    assert_eq!(&doc[r], "<?xml version='1.0'?><x:stream>");
    assert!(matches!(framer.next(buf), Ok(Some(Event::Element(_)))));
    assert_eq!(framer.next(buf), Ok(Some(Event::Close)));
    assert_eq!(framer.next(buf), Ok(None));
    assert_eq!(framer.keep_from(), buf.len());
}

#[test]
fn limits_can_change_inside_a_frame() {
    let mut framer = Framer::new(LIMITS);
    let doc = format!("{OPEN}<a>{}", "x".repeat(150));
    assert!(matches!(framer.next(doc.as_bytes()), Ok(Some(_))));
    assert_eq!(framer.next(doc.as_bytes()), Ok(None));
    framer.set_limits(FrameLimits { element_bytes_max: 10, ..LIMITS });
    assert_eq!(framer.next(doc.as_bytes()), Err(FrameError::ElementTooLarge));
}

/// No byte is looked at twice: what the framer is done with may be overwritten, but for the end of a CDATA section it
/// is amidst of, and it always gets to the end of what there is.
#[test]
fn every_byte_is_looked_at_once() {
    let element = format!(
        "<m a=\"{0}\" b='{0}'>{0}<![CDATA[{0}]]{0}]]><b{1}></b{1}>{2}{3}</m>",
        "x/>]".repeat(500),
        " ".repeat(2_000),
        "<c>".repeat(60),
        "</c>".repeat(60)
    );
    let limits = FrameLimits { header_bytes_max: 400, element_bytes_max: 1 << 20, depth_max: 64 };
    for size in [1, 2, 3, 7, 100, 1_000, element.len()] {
        let mut framer = Framer::new(limits);
        assert!(matches!(framer.next(OPEN.as_bytes()), Ok(Some(Event::Header(_)))));
        framer.shift(OPEN.len());
        let mut buf: Vec<u8> = Vec::new();
        for chunk in element.as_bytes().chunks(size) {
            let seen = buf.len();
            buf.extend_from_slice(chunk);
            match framer.next(&buf) {
                Ok(None) => assert!(framer.pos == buf.len() && framer.keep_from() == 0, "chunks of {size}"),
                Ok(Some(Event::Element(range))) => assert_eq!(range, 0..element.len(), "chunks of {size}"),
                other => panic!("{other:?} in chunks of {size}"),
            }
            let kept = "]]".len();
            buf[..seen.saturating_sub(kept)].fill(b'<');
        }
        assert_eq!((buf.len(), framer.keep_from(), framer.is_idle()), (element.len(), element.len(), true));
    }
}

#[test]
fn stays_small() {
    assert!(size_of::<Framer>() <= 96, "{}", size_of::<Framer>());
}

fn xmlish() -> impl Strategy<Value = Vec<u8>> {
    let token = prop::sample::select(vec![
        "<a>",
        "</a>",
        "<b x='1'>",
        "</b>",
        "<c/>",
        " ",
        "\n",
        "t",
        "<![CDATA[",
        "]]>",
        "]",
        ">",
        "<",
        "/",
        "'",
        "\"",
        "&",
        "<?xml version='1.0'?>",
        "<!",
        "é",
        "</stream:stream>",
        OPEN,
        "<m y=\"",
        "=",
    ]);
    prop::collection::vec(token, 0..40).prop_map(|t| format!("{OPEN}{}", t.concat()).into_bytes())
}

proptest! {
    /// The same frames, and the same error, for every chunking.
    #[test]
    fn chunking_does_not_matter(doc in xmlish(), sizes in prop::collection::vec(1usize..30, 1..20)) {
        let whole = frames(&[&doc]);
        let mut chunks = Vec::new();
        let mut rest = &doc[..];
        for size in sizes.iter().cycle() {
            if rest.is_empty() { break }
            let (head, tail) = rest.split_at((*size).min(rest.len()));
            chunks.push(head);
            rest = tail;
        }
        prop_assert_eq!(frames(&chunks), whole);
    }

    #[test]
    fn arbitrary_bytes(doc in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut with_header = OPEN.as_bytes().to_vec();
        with_header.extend_from_slice(&doc);
        let bytewise: Vec<&[u8]> = with_header.chunks(1).collect();
        prop_assert_eq!(frames(&bytewise), frames(&[&with_header]));
        frames(&[&doc]);
    }
}
