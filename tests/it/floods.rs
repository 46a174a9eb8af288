//! Clients that send too much, too early, or never say what they received.

use std::time::Duration;

use matchkeep_shared::arena::ArenaInput;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::limits::{
    DATAGRAM_BYTES_MAX, INPUT_AHEAD_TICKS_MAX, INPUTS_PER_DATAGRAM_MAX,
};
use matchkeep_shared::time::Tick;
use matchkeep_tests::raw::Raw;
use matchkeep_tests::server::{ROOM, TestServer};
use matchkeep_tests::watch::Watch;
use matchkeep_tests::within;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

/// One tick of a match at 60 Hz.
const TICK: Duration = Duration::from_micros(16_667);

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_acknowledges_gets_every_snapshot_whole() {
    let server = TestServer::start(ROOM).await;
    let watch = Watch::join(&server, "room").await;
    let (raw, welcome) = Raw::join(&server, "eve", "room").await;
    let until = Instant::now() + Duration::from_secs(3);
    let (mut snapshots, mut newest) = (0, welcome.tick);
    while let Ok(received) = timeout_at(until, raw.snapshot()).await {
        let (head, bytes) = received.expect("it is not sent away");
        assert_eq!(head.baseline_age, None, "against nothing: nothing is known of it");
        assert!(bytes <= DATAGRAM_BYTES_MAX, "{bytes} bytes");
        newest = Tick::from_low16(head.tick_low16, newest);
        snapshots += 1;
        // It plays, though: inputs without a word about what came.
        raw.inputs(None, newest + 2, &[ArenaInput::default()]);
    }
    assert!(snapshots > 60, "{snapshots} snapshots in three seconds");
    assert!(newest.since(welcome.tick) > 90, "up to tick {newest}");
    watch.finish().await.assert_undisturbed();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_times_too_many_inputs_are_a_flood() {
    let server = TestServer::start(ROOM).await;
    let watch = Watch::join(&server, "room").await;
    let (raw, welcome) = Raw::join(&server, "eve", "room").await;
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let flood = async {
        let mut newest = welcome.tick;
        loop {
            ticks.tick().await;
            newest = newest + 1;
            for _ in 0..10 {
                raw.inputs(None, newest, &[ArenaInput::default()]);
                // Each in its packet: what is queued together may be dropped together.
                tokio::task::yield_now().await;
            }
            if raw.connection.close_reason().is_some() {
                return;
            }
        }
    };
    within(20, "the flood's end", flood).await;
    assert_eq!(raw.ended().await, DisconnectReason::DatagramFlood);
    watch.finish().await.assert_undisturbed();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_too_far_ahead_are_counted_and_then_too_many() {
    let server = TestServer::start(ROOM).await;
    let watch = Watch::join(&server, "room").await;
    let (raw, welcome) = Raw::join(&server, "eve", "room").await;
    let inputs = [ArenaInput::default(); INPUTS_PER_DATAGRAM_MAX];
    let mut ticks = interval(TICK);
    let mut newest = welcome.tick + 20 * INPUT_AHEAD_TICKS_MAX;

    // A few are a client with a wrong clock: refused, counted, and it may stay.
    for _ in 0..10 {
        ticks.tick().await;
        newest = newest + 1;
        raw.inputs(None, newest, &inputs);
    }
    server.wait_stats(10, "refused inputs", |stats| stats.shards.inputs.refused >= 5).await;
    assert!(raw.lives_for(Duration::from_millis(100)).await);

    let go_on = async {
        while raw.connection.close_reason().is_none() {
            ticks.tick().await;
            for _ in 0..3 {
                newest = newest + 1;
                raw.inputs(None, newest, &inputs);
            }
        }
    };
    within(30, "the end of it", go_on).await;
    assert_eq!(raw.ended().await, DisconnectReason::InputTooFarAhead);
    watch.finish().await.assert_undisturbed();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_and_acknowledgements_of_nonsense_ticks_are_harmless() {
    let server = TestServer::start(ROOM).await;
    let watch = Watch::join(&server, "room").await;
    let (raw, welcome) = Raw::join(&server, "eve", "room").await;
    let mut ticks = interval(TICK);
    for i in 0..90_u64 {
        ticks.tick().await;
        let ack = matchkeep_shared::wire::client::Ack {
            newest_low16: (i * 7919) as u16,
            before: u32::MAX,
        };
        // Of the far past and of the near future in turn.
        let newest = if i % 2 == 0 { Tick(1 + i) } else { welcome.tick + i };
        raw.inputs(Some(ack), newest, &[ArenaInput::default(); 3]);
    }
    let (head, _) = raw.snapshot().await.expect("it stays");
    assert_eq!(head.epoch_low8, 1);
    watch.finish().await.assert_undisturbed();
    server.stop().await;
}
