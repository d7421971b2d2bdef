//! Random bytes are rejected as the caller's mistake, and the service keeps serving.

use proptest::{collection::vec, prelude::*, sample::Index, test_runner::TestRunner};
use tokio::runtime::Runtime;
use tonic::Code;

use super::{Attacked, METHODS, refused, valid};
use crate::wire::{self, Raw};

/// Checks the property with one service, whose connection must survive all cases.
fn check<T: std::fmt::Debug>(
    cases: u32,
    strategy: impl Strategy<Value = T>,
    send: impl AsyncFn(&Attacked, T) -> Raw + Copy,
) {
    let runtime = Runtime::new().unwrap();
    let attacked = runtime.block_on(Attacked::start(&[]));
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let outcome = TestRunner::new(config).run(&strategy, |case| {
        let raw = runtime.block_on(send(&attacked, case));
        if raw.status().code() != Code::Ok {
            let code = refused(&raw).code;
            let expected = [Code::InvalidArgument, Code::ResourceExhausted];
            prop_assert!(expected.contains(&code), "{code:?}");
        }
        Ok(())
    });
    outcome.unwrap_or_else(|failed| panic!("{failed}"));
    runtime.block_on(attacked.ends_well());
}

fn methods() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(&METHODS[..])
}

#[test]
fn random_messages_are_rejected() {
    check(
        500,
        (methods(), vec(any::<u8>(), 0..300)),
        async |attacked, (method, bytes)| attacked.post(method, &[], wire::frame(&bytes)).await,
    );
}

#[test]
fn random_bodies_are_rejected() {
    // The first byte is a flag, and the next four a length, which are seldom right by chance.
    let flag = prop_oneof![Just(0_u8), Just(1), any::<u8>()];
    let length = prop_oneof![0..64_u32, any::<u32>()];
    let body = (flag, length, vec(any::<u8>(), 0..64)).prop_map(|(flag, length, bytes)| {
        let whole = [&[flag][..], &length.to_be_bytes(), &bytes].concat();
        bytes::Bytes::from(whole)
    });
    check(500, (methods(), body), async |attacked, (method, body)| {
        attacked.post(method, &[], body).await
    });
}

#[test]
fn valid_messages_with_changed_bytes_are_rejected_or_served() {
    let changes = vec((any::<Index>(), any::<u8>()), 1..4);
    check(
        1_000,
        (methods(), changes),
        async |attacked, (method, changes)| {
            let mut message = valid(method);
            for (at, byte) in changes {
                *at.get_mut(&mut message) = byte;
            }
            attacked.post(method, &[], wire::frame(&message)).await
        },
    );
}
