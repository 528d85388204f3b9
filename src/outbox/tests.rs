//! Waiting for room.

use super::*;
use std::pin::pin;
use std::task::Context;
use xep_support::stanza::MessageType;

fn full() -> Outbox {
    let outbox = Outbox::new(1 << 20, 8);
    for _ in 0..8 {
        let stanza = Stanza::message(MessageType::Chat, None, None, []);
        assert!(outbox.push(Item::plain(Arc::new(stanza))).is_ok());
    }
    outbox
}

/// What somebody who waits for room learns when `act` happens; `None`: nothing.
fn told(outbox: &Outbox, act: impl FnOnce(&Outbox)) -> Option<bool> {
    let mut room = pin!(outbox.room());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(room.as_mut().poll(&mut cx).is_pending());
    act(outbox);
    match room.as_mut().poll(&mut cx) {
        Poll::Ready(room) => Some(room),
        Poll::Pending => None,
    }
}

fn take(outbox: &Outbox, count: usize) {
    outbox.take(&mut Vec::new(), count * ITEM_OVERHEAD_BYTES, Waker::noop());
}

#[test]
fn whoever_waits_for_room_is_called_when_there_is_some() {
    let outbox = full();
    assert_eq!(told(&outbox, |outbox| take(outbox, 1)), None);
    assert_eq!(told(&outbox, |outbox| take(outbox, 7)), Some(true));
    assert!(outbox.lock().waiting.is_none(), "nobody waits any more");
}

#[test]
fn nobody_waits_for_room_that_will_not_come() {
    for act in [
        (|outbox| outbox.close(CloseReason::Kicked)) as fn(&Outbox),
        |outbox| outbox.hand_over(),
        |outbox| outbox.lost(),
        |outbox| drop(outbox.shut()),
    ] {
        assert_eq!(told(&full(), act), Some(false));
    }
    let again = full();
    again.lost();
    again.taken_over();
    assert_eq!(told(&again, |outbox| take(outbox, 8)), Some(true));
}

#[test]
fn several_at_once_wake_a_session_once_and_tell_whether_it_is_away() {
    struct Calls(std::sync::atomic::AtomicUsize);
    impl std::task::Wake for Calls {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let calls = Arc::new(Calls(Default::default()));
    let outbox = Outbox::new(1 << 20, 8);
    let push = |count: usize| {
        let stanza = || Arc::new(Stanza::message(MessageType::Groupchat, None, None, []));
        outbox.push_all((0..count).map(|_| Item::plain(stanza())))
    };
    outbox.take(&mut Vec::new(), 0, &Waker::from(calls.clone()));
    assert!(!push(3));
    assert_eq!(calls.0.load(Ordering::Relaxed), 1);
    let mut taken = Vec::new();
    outbox.take(&mut taken, 1 << 20, Waker::noop());
    assert_eq!(taken.len(), 3);
    outbox.lost();
    assert!(push(1), "its connection is gone");
    outbox.taken_over();
    assert!(!push(8));
    assert_eq!(outbox.close_reason(), Some(CloseReason::SlowReader), "nine of eight");
    drop(outbox.shut());
    outbox.lost();
    assert!(!push(1), "nobody misses it");
}
