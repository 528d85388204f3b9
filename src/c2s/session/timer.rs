//! The one timer of a session: silence, a stalled writer, the end of a pause.

use super::{BATCH_AWAITED_SECONDS_MAX, REQUEST_AWAITED_SECONDS_MAX, STALL_AWAITED_SECONDS_MAX, Session};
use crate::c2s::framing::Framing;
use crate::clock;
use crate::close::CloseReason;
use std::future::Future;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::Stanza;
use xep_support::xml::Element;

impl Session {
    pub(super) fn is_paused(&mut self) -> bool {
        if self.paused_until_ms > 0 && clock::monotonic_ms() >= self.paused_until_ms {
            self.paused_until_ms = 0;
        }
        self.paused_until_ms > 0
    }

    /// The one timer: silence, a stalled writer, the end of a pause.
    pub(super) fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<CloseReason> {
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = clock::monotonic_seconds();
            // Where each request is a sign of life, whoever counts them says when the connection is lost (XEP-0124 §9).
            let by_requests = self.wire.framing == Framing::Alone;
            let silent = if by_requests { 0 } else { now.saturating_sub(self.read_seconds) };
            if let Some(stall) = self.stall {
                // As long as something moves nobody is cut off, unless others wait too long for it.
                let still = now.saturating_sub(stall.moved_seconds);
                let awaited_max = if by_requests { REQUEST_AWAITED_SECONDS_MAX } else { STALL_AWAITED_SECONDS_MAX };
                let late = still >= awaited_max || now.saturating_sub(stall.since_seconds) >= BATCH_AWAITED_SECONDS_MAX;
                let stalled = still >= self.limits.stall_seconds && !(by_requests && stall.backlog > 0);
                if stalled || late && self.is_awaited() {
                    return Poll::Ready(CloseReason::WriteStalled);
                }
            }
            let dead = self.limits.probe_seconds.saturating_add(self.limits.dead_seconds);
            if silent >= dead && self.wait.is_none() && self.paused_until_ms == 0 {
                return Poll::Ready(CloseReason::Dead);
            }
            if self.is_ack_overdue(now, dead) {
                return Poll::Ready(CloseReason::Dead);
            }
            if silent >= self.limits.probe_seconds && !self.probed {
                self.probed = true;
                if self.wire.input.probe() {
                    // It is written at our next turn.
                    cx.waker().wake_by_ref();
                } else {
                    self.probes = self.probes.wrapping_add(1);
                    self.client.send(probe(self.client.jid().as_jid(), self.probes));
                }
            }
            let idle = if self.probed { dead } else { self.limits.probe_seconds };
            let mut next = idle.saturating_sub(silent).max(1);
            if let Some(stall) = self.stall {
                let left = self.limits.stall_seconds.saturating_sub(now.saturating_sub(stall.moved_seconds));
                next = next.min(left).clamp(1, STALL_AWAITED_SECONDS_MAX);
            }
            let mut next = Duration::from_secs(next.into());
            if self.paused_until_ms > 0 {
                let left = self.paused_until_ms.saturating_sub(clock::monotonic_ms()).max(1);
                next = next.min(Duration::from_millis(left));
                cx.waker().wake_by_ref();
            }
            self.timer.as_mut().reset(Instant::now() + next);
        }
        Poll::Pending
    }
}

/// XEP-0199 §4.1: is the client still there? Any answer, even an error, will do.
fn probe(to: &Jid, number: u32) -> Stanza {
    let from = Jid::from_parts(None, to.domain(), None).ok();
    Stanza::iq_get(from.as_ref(), Some(to), &format!("probe{number}"), Element::new("ping", ns::PING))
}
