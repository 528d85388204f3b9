use super::*;

/// §13.3: the last answers may have been lost as well.
#[test]
fn the_last_answers_can_be_had_again() {
    let mut play = Play::begin(terms());
    play.get("a", saying(1001, "<x/>"));
    play.say("<y/>");
    play.answers(&[("a", &with("<y/>"))]);
    play.get("b", Body { terminates: true, ..empty(1002) });
    let mut effects = Effects::default();
    play.exchange.finish(play.now_ms, None, "<bye/>", &mut effects);
    play.note(effects);
    let over = NOTHING.replace("/>", " type='terminate'><bye/></body>");
    play.answers(&[("b", &over)]);
    play.get("a", saying(1001, "<x/>"));
    play.get("b", Body { terminates: true, ..empty(1002) });
    play.get("c", empty(1003));
    play.answers(&[("a", &with("<y/>")), ("b", &over), ("c", &end("item-not-found"))]);
}

/// Having it again has an end, too.
#[test]
fn the_last_answers_cannot_be_had_for_ever() {
    let mut play = Play::begin(terms());
    play.get("a", saying(1001, "<x/>"));
    play.say("<y/>");
    play.answers(&[("a", &with("<y/>"))]);
    play.get("b", Body { terminates: true, ..empty(1002) });
    let mut effects = Effects::default();
    play.exchange.finish(play.now_ms, None, "", &mut effects);
    play.note(effects);
    for _ in 0..300 {
        play.get("a", saying(1001, "<x/>"));
    }
    let again = play.settled().into_iter().filter(|(_, text)| *text == with("<y/>")).count();
    assert_eq!(again, usize::from(REPEATS_MAX));
}

/// Who broke off before the end came hears of it behind the next request, or when asking again.
#[test]
fn the_end_is_told_to_somebody() {
    for breaks in [1, 2] {
        let mut play = Play::begin(terms());
        play.get("a", saying(1001, "<x/>"));
        play.get("b", Body { terminates: true, ..saying(1002, "<y/>") });
        ["a", "b"][..breaks].iter().for_each(|name| play.exchange.lost(play.now_ms, |waiter| waiter == name));
        let mut effects = Effects::default();
        play.exchange.finish(play.now_ms, Some(Condition::SystemShutdown), "", &mut effects);
        play.note(effects);
        let over = end("system-shutdown");
        if breaks == 1 {
            play.answers(&[("b", &over)]);
        }
        play.get("c", saying(1001, "<x/>"));
        play.get("d", saying(1002, "<y/>"));
        play.answers(&[("c", if breaks == 1 { NOTHING } else { &over }), ("d", &over)]);
    }
}

/// However large: two connections may break at a time.
#[test]
fn answers_the_client_may_lack_are_kept() {
    let mut play = Play::begin(terms());
    let large = format!("<x>{}</x>", "x".repeat(400 * 1024));
    let say = |play: &mut Play, rid| {
        play.get("a", saying(rid, "<y/>"));
        play.say(&large);
        play.answers(&[("a", &with(&large))]);
    };
    say(&mut play, 1001);
    say(&mut play, 1002);
    for rid in [1001, 1002] {
        play.get("b", saying(rid, "<y/>"));
        play.answers(&[("b", &with(&large))]);
    }
    say(&mut play, 1003);
    assert_eq!(play.exchange.answers.len(), 2);
    // With the next request it has seen all but the last one.
    play.get("a", saying(1004, "<y/>"));
    play.get("b", saying(1005, "<y/>"));
    play.say("<z/>");
    assert_eq!((play.exchange.answers.len(), play.exchange.answers.last()), (2, 1004));
}
