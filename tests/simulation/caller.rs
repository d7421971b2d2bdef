//! The callers: agents that ask for tapes until they know that they are there.

use std::time::Duration;

use fastrand::Rng;
use tokio::{sync::watch, time::sleep};

use super::{
    history::Told,
    library::{Asked, Library},
    wish::Wish,
};

/// One thing that a caller does while faults happen.
#[derive(Clone, Debug)]
pub struct Step {
    pub pause: Duration,
    pub asked: Asked,
    pub deadline: Duration,
    /// After which time the caller cancels the first call.
    pub patience: Option<Duration>,
}

/// A caller with its script.
pub struct Caller {
    pub replicas: usize,
    pub script: Vec<Step>,
    /// What it asks for again when all is calm.
    pub wishes: Vec<Wish>,
    pub rng: Rng,
}

/// How often a caller repeats a call in the midst of faults, and when all is calm.
const MAX_CALLS: usize = 3;
const MAX_CALM_CALLS: usize = 20;

/// The deadline of a call when all is calm.
const CALM_DEADLINE: Duration = Duration::from_secs(30);

/// How long a caller waits before it repeats a call, if the service does not say.
const PAUSE: Duration = Duration::from_secs(1);

impl Caller {
    /// Follows the script. When all is calm, asks for every wish twice, at two replicas, and for a
    /// list.
    pub async fn run(mut self, mut library: Library, mut calm: watch::Receiver<bool>) -> turmoil::Result {
        for step in std::mem::take(&mut self.script) {
            sleep(step.pause).await;
            self.ask(&mut library, &step.asked, step.deadline, step.patience, MAX_CALLS)
                .await;
        }
        calm.wait_for(|calm| *calm).await?;
        for wish in std::mem::take(&mut self.wishes) {
            let asked = Asked::Create(wish);
            for _ in 0..2 {
                self.ask(&mut library, &asked, CALM_DEADLINE, None, MAX_CALM_CALLS)
                    .await;
            }
        }
        let list = Asked::List { is_fresh: true };
        self.ask(&mut library, &list, CALM_DEADLINE, None, MAX_CALM_CALLS)
            .await;
        Ok(())
    }

    /// Makes the call, and makes it again while that can help.
    async fn ask(
        &mut self,
        library: &mut Library,
        asked: &Asked,
        deadline: Duration,
        mut patience: Option<Duration>,
        most: usize,
    ) {
        let first = self.rng.usize(..self.replicas);
        for repeat in 0..most {
            let replica = (first + repeat) % self.replicas;
            let told = library.call(asked, replica, deadline, patience.take()).await;
            let pause = match told {
                Told::Made(_) | Told::Listed(_) => return,
                Told::Failed(refusal) if refusal.retry.as_deref() != Some("same_call") => return,
                Told::Failed(refusal) => refusal.delay.unwrap_or_default(),
                Told::Broken(_) | Told::TimedOut | Told::Cancelled => Duration::ZERO,
            };
            sleep(pause + PAUSE.mul_f64(self.rng.f64())).await;
        }
    }
}
