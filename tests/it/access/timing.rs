//! How long it takes to refuse a token does not tell how much of it is right.

use std::{hint::black_box, path::PathBuf, time::Instant};

use jiff::Timestamp;
use secrecy::ExposeSecret;
use tapegate::access::{
    reload::Contents,
    tokens::{NewToken, Tokens},
};

/// Beyond this, two samples of times are surely not of one kind (as dudect has it).
const SURE: f64 = 4.5;

/// The length of a token's secret, in characters.
const SECRET_LENGTH: usize = 43;

/// How often each guess is timed.
const TIMES: usize = 20_000;

/// Welch's t of two samples, without the slowest tenth: those were interrupted.
fn welch(mut samples: [Vec<f64>; 2]) -> f64 {
    let mut all = samples.concat();
    all.sort_by(f64::total_cmp);
    let slow = all[all.len() * 9 / 10];
    let [a, b] = samples.each_mut().map(|sample| {
        sample.retain(|time| *time < slow);
        let count = sample.len() as f64;
        let mean = sample.iter().sum::<f64>() / count;
        let variance = sample.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    });
    ((a.0 - b.0) / (a.1 + b.1).sqrt()).abs()
}

/// How surely the times of checking two guesses differ: both stand in the same place when
/// they are checked, and which is next is drawn.
fn difference(guesses: [&str; 2], check: impl Fn(&str) -> bool) -> f64 {
    let mut place = guesses[0].as_bytes().to_vec();
    let mut samples = [Vec::with_capacity(TIMES), Vec::with_capacity(TIMES)];
    while samples.iter().any(|sample| sample.len() < TIMES) {
        let which = usize::from(fastrand::bool());
        place.copy_from_slice(guesses[which].as_bytes());
        let guess = str::from_utf8(black_box(&place)).unwrap();
        let start = Instant::now();
        let taken = check(guess);
        samples[which].push(start.elapsed().as_nanos() as f64);
        assert!(!taken, "a wrong token was taken");
    }
    welch(samples)
}

/// Wrong in the first character of the secret, and in the last one alone.
fn guesses(token: &str) -> [String; 2] {
    let other = |old: u8| if old == b'a' { 'b' } else { 'a' };
    [token.len() - SECRET_LENGTH, token.len() - 1].map(|at| {
        let mut guess = token.to_owned();
        let wrong = other(token.as_bytes()[at]).to_string();
        guess.replace_range(at..=at, &wrong);
        guess
    })
}

#[test]
fn how_long_a_token_is_looked_at_does_not_tell_how_much_of_it_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.toml");
    let new = NewToken {
        name: "agent".to_owned(),
        groups: Vec::new(),
        expires: Timestamp::MAX,
    };
    let token = new.add_to(&path).unwrap();
    let token = token.expose_secret();
    let contents = Contents::new(vec![(PathBuf::new(), std::fs::read(&path).unwrap())]);
    let tokens = Tokens::read(&contents).unwrap();
    let now = Timestamp::now();
    assert!(tokens.verify(token, now).is_ok());
    let guesses = guesses(token);
    let guesses = [guesses[0].as_str(), guesses[1].as_str()];

    // What this way of measuring would see, were the token compared byte by byte.
    let naive = difference(guesses, |guess| {
        guess
            .bytes()
            .zip(token.bytes())
            .all(|(guessed, right)| guessed == right)
    });
    assert!(
        naive > SURE,
        "a plain comparison was not told apart: t = {naive:.1}"
    );

    // The machine may be busy in a way that favours one of them for a while: not five times.
    let rounds: Vec<_> = (0..5)
        .map(|_| difference(guesses, |guess| tokens.verify(guess, now).is_ok()))
        .collect();
    println!("t of a plain comparison {naive:.1}; of verify {rounds:.1?}");
    assert!(rounds.iter().any(|t| *t < SURE), "t = {rounds:.1?}");
}
