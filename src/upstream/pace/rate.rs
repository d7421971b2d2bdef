use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::PaceSettings;
use crate::domain::Fault;

/// What the end of an attempt says about AWS.
#[derive(Clone, Copy, Debug)]
pub(in crate::upstream) enum Signal<'a> {
    /// AWS responds.
    Answered,
    /// AWS throttles.
    Throttled,
    /// AWS does not respond, or rejects the service's credentials.
    Unresponsive(&'a Fault),
    /// The attempt was dropped before AWS responded. Its time may have been too short, so this
    /// counts only during an outage.
    Dropped,
}

/// The rate at which attempts may begin, learned from how earlier attempts ended.
///
/// **Throttling.** Until AWS throttles, there is no limit. The first throttled attempt sets the
/// rate to the number of attempts that began in the last second, and decreases it. Each decrease
/// is 10 %, or up to 50 % if AWS granted that much less in the last second. An attempt that began
/// before the last decrease causes no other one.
///
/// While calls wait, the rate increases. AWS publishes no limits, and a step that is right for
/// 200 attempts per second is too large for 2. So the step is relative: 2 % per second of the
/// value that the rate last decreased to. There are two exceptions. At first the limit is unknown,
/// and the rate increases by 100 % per second, until a decrease more than a second later. If there
/// is no decrease for 10 s ([`STEADY`]), the step grows, so that a limit which was raised a
/// hundredfold is found within a minute.
///
/// **Outage.** Several attempts in a row without a response set the rate to the floor. The first
/// response starts a recovery: the rate begins at 4 times the floor and increases by 100 % per
/// second. After 10 s ([`RECOVERY`]) there is no limit again. If no attempt has ended for
/// [`PaceSettings::forget`], it is not known whether the outage goes on: the next attempts are paced
/// as in a recovery, and the first one without a response shows that it does.
///
/// The type has no clock and no lock; [`Pacer`](super::Pacer) has both.
#[derive(Debug)]
pub(super) struct Rate {
    settings: PaceSettings,
    /// The current limit.
    pace: Option<Pace>,
    /// Attempts that began while there was no limit.
    begun: LastSecond,
    /// Responses of AWS without throttling.
    granted: LastSecond,
    /// The number of attempts in a row without a response.
    unanswered: u32,
    last_response: Option<Instant>,
}

#[derive(Debug)]
struct Pace {
    /// Attempts per second.
    per_second: f64,
    /// When the last attempt began, or should have begun.
    last_begin: Instant,
    /// The moment up to which `per_second` includes the increase.
    increased_until: Instant,
    /// When the rate last decreased. Attempts that began before then say nothing new.
    decreased_at: Instant,
    /// The value that it decreased to.
    decreased_to: f64,
    mode: Mode,
}

#[derive(Debug)]
enum Mode {
    /// Throttling began at this moment; the limit is still unknown.
    Seeking(Instant),
    Throttled,
    /// There was no response since this moment; the last attempt failed with this fault.
    Unresponsive(Fault, Instant),
    Recovering,
}

/// How the rate increases while calls wait.
#[derive(Clone, Copy, Debug)]
enum Increase {
    /// By this much per second.
    Linear(f64),
    /// By 100 % per second: the limit is unknown.
    Exponential,
}

/// How long after a decrease the step of the increase stays the same. A rate near the limit
/// decreases about this often.
const STEADY: Duration = Duration::from_secs(10);

/// The rate at the start of a recovery, as a multiple of the floor.
const RECOVERY_START: f64 = 4.0;

/// How long a recovery lasts. After it, the rate is far above any limit of AWS.
const RECOVERY: Duration = Duration::from_secs(10);

/// How much of the delay of a late attempt the attempts behind it make up for. Timers and threads
/// cause such delays.
const CATCH_UP: Duration = Duration::from_millis(50);

/// How late the first attempt in the queue may begin before the next one takes its turn.
pub(super) const TURN_GRACE: Duration = Duration::from_millis(100);

const SECOND: Duration = Duration::from_secs(1);

impl Rate {
    pub(super) fn new(settings: PaceSettings) -> Self {
        Self {
            settings,
            pace: None,
            begun: LastSecond::default(),
            granted: LastSecond::default(),
            unanswered: 0,
            last_response: None,
        }
    }

    /// Attempts per second; `None` without a limit.
    pub(super) fn per_second(&self) -> Option<f64> {
        self.pace.as_ref().map(|pace| pace.per_second)
    }

    /// The last fault of an outage, while there is one.
    pub(super) fn outage(&self) -> Option<&Fault> {
        match &self.pace.as_ref()?.mode {
            Mode::Unresponsive(fault, _) => Some(fault),
            Mode::Seeking(_) | Mode::Throttled | Mode::Recovering => None,
        }
    }

    /// Since when there is an outage.
    pub(super) fn outage_since(&self) -> Option<Instant> {
        match self.pace.as_ref()?.mode {
            Mode::Unresponsive(_, since) => Some(since),
            Mode::Seeking(_) | Mode::Throttled | Mode::Recovering => None,
        }
    }

    /// Since when AWS has not responded, according to attempts that ended within
    /// [`PaceSettings::forget`]. Without such attempts, nothing is known. Rejected credentials are a
    /// response.
    pub(super) fn unresponsive_since(&self, now: Instant) -> Option<Instant> {
        let pace = self.pace.as_ref().filter(|pace| self.is_recent(pace, now))?;
        match &pace.mode {
            Mode::Unresponsive(fault, since) if fault.is_no_answer() => Some(*since),
            _ => None,
        }
    }

    /// Whether AWS throttles, according to attempts that ended within [`PaceSettings::forget`].
    pub(super) fn is_throttled(&self, now: Instant) -> bool {
        let pace = self.pace.as_ref().filter(|pace| self.is_recent(pace, now));
        pace.is_some_and(|pace| matches!(pace.mode, Mode::Seeking(_) | Mode::Throttled))
    }

    /// When the last response came.
    pub(super) fn last_response(&self) -> Option<Instant> {
        self.last_response
    }

    fn is_recent(&self, pace: &Pace, now: Instant) -> bool {
        now.saturating_duration_since(pace.decreased_at) <= self.settings.forget
    }

    /// How long until an attempt may begin that has `ahead` others before it in the queue.
    pub(super) fn wait(&self, ahead: usize, now: Instant) -> Duration {
        let Some(pace) = &self.pace else {
            return Duration::ZERO;
        };
        let ahead = u32::try_from(ahead).map_or(f64::MAX, f64::from);
        let rate = pace.per_second;
        let seconds = match pace.increase(now, &self.settings) {
            Increase::Linear(step) => 2.0 * ahead / (rate + (2.0 * step).mul_add(ahead, rate * rate).sqrt()),
            Increase::Exponential => (ahead / rate).ln_1p(),
        };
        let until_those_began = Duration::try_from_secs_f64(seconds).unwrap_or(FOREVER);
        pace.next().saturating_duration_since(now) + until_those_began
    }

    /// Whether the first attempt in the queue is late by [`TURN_GRACE`].
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        let pace = self.pace.as_ref();
        pace.is_some_and(|pace| now.saturating_duration_since(pace.next()) >= TURN_GRACE)
    }

    /// Records that an attempt begins. If it has waited for its turn, others may still wait.
    pub(super) fn begin(&mut self, waited: bool, now: Instant) {
        match &mut self.pace {
            None => self.begun.add(now),
            Some(pace) if waited => {
                let latest = now.checked_sub(CATCH_UP).unwrap_or(now);
                pace.last_begin = pace.next().clamp(latest, now);
            }
            Some(pace) => (pace.last_begin, pace.increased_until) = (now, now),
        }
    }

    /// Increases the rate for the time that calls have waited.
    pub(super) fn increase(&mut self, now: Instant) {
        if let Some(pace) = &mut self.pace {
            let seconds = now.saturating_duration_since(pace.increased_until).min(SECOND);
            let step = match pace.increase(now, &self.settings) {
                Increase::Linear(step) => step,
                Increase::Exponential => pace.per_second,
            };
            pace.per_second += step * seconds.as_secs_f64();
            pace.increased_until = now;
        }
    }

    /// Removes the limit if it is no longer needed.
    pub(super) fn forget(&mut self, now: Instant) {
        let is_over = |pace: &Pace| {
            let calm = now.saturating_duration_since(pace.decreased_at);
            match pace.mode {
                Mode::Seeking(_) | Mode::Throttled => calm > self.settings.forget,
                Mode::Recovering => calm > RECOVERY,
                Mode::Unresponsive(..) => false,
            }
        };
        if self.pace.as_ref().is_some_and(is_over) {
            self.pace = None;
        }
    }

    /// Ends an outage of which nothing was heard for [`PaceSettings::forget`]. It is called when an
    /// attempt arrives.
    pub(super) fn forget_outage(&mut self, now: Instant) {
        let is_known = self.pace.as_ref().is_some_and(|pace| self.is_recent(pace, now));
        if self.outage().is_some() && !is_known {
            self.recover(now);
        }
    }

    fn recover(&mut self, now: Instant) {
        if let Some(pace) = &mut self.pace {
            pace.per_second = self.settings.floor * RECOVERY_START;
            pace.mode = Mode::Recovering;
            (pace.increased_until, pace.decreased_at, pace.decreased_to) = (now, now, pace.per_second);
        }
    }

    /// Records how an attempt ended that began at `began`. Returns whether waiting calls must
    /// compute their turns again.
    pub(super) fn record(&mut self, began: Instant, signal: Signal<'_>, now: Instant) -> bool {
        match signal {
            Signal::Unresponsive(fault) => return self.record_unresponsive(began, fault, now),
            Signal::Dropped => {
                if let Some(fault) = self.outage().cloned() {
                    self.record_unresponsive(began, &fault, now);
                }
                return false;
            }
            Signal::Answered => self.granted.add(now),
            Signal::Throttled => {}
        }
        self.unanswered = 0;
        self.last_response = Some(now);
        let recovers = self.outage().is_some();
        if recovers {
            self.recover(now);
        }
        let decreases = matches!(signal, Signal::Throttled) && self.decrease(began, now);
        recovers || decreases
    }

    fn record_unresponsive(&mut self, began: Instant, fault: &Fault, now: Instant) -> bool {
        // It was in flight when AWS last responded. Attempts that hang in an outage end after it.
        if self.last_response.is_some_and(|response| began < response) {
            return false;
        }
        self.unanswered = self.unanswered.saturating_add(1);
        if self.unanswered < self.settings.silence {
            return false;
        }
        let since = match self.pace.as_ref().map(|pace| &pace.mode) {
            Some(Mode::Unresponsive(_, since)) => Some(*since),
            _ => None,
        };
        self.pace = Some(Pace {
            per_second: self.settings.floor,
            last_begin: self.pace.as_ref().map_or(began, |pace| pace.last_begin),
            increased_until: now,
            decreased_at: now,
            decreased_to: self.settings.floor,
            mode: Mode::Unresponsive(fault.clone(), since.unwrap_or(now)),
        });
        since.is_none()
    }

    fn decrease(&mut self, began: Instant, now: Instant) -> bool {
        let (rate, last_begin) = match &self.pace {
            Some(pace) if began <= pace.decreased_at => return false,
            Some(pace) => (pace.per_second, pace.last_begin),
            None => (self.begun.count(now).max(1.0), now),
        };
        let mode = match &self.pace {
            Some(pace) => pace.mode_after_decrease(now),
            None => Mode::Seeking(now),
        };
        let most = rate * self.settings.decrease;
        // A rate that has just increased exponentially is far above what the last second granted.
        let is_ahead = self
            .pace
            .as_ref()
            .is_some_and(|pace| pace.increased_exponentially(now));
        let granted = match is_ahead {
            true => most,
            false => self.granted.count(now).clamp(most.min(rate / 2.0), most),
        };
        let decreased_to = granted.max(self.settings.floor);
        self.pace = Some(Pace {
            per_second: decreased_to,
            last_begin,
            increased_until: now,
            decreased_at: now,
            decreased_to,
            mode,
        });
        true
    }
}

/// Longer than any call waits.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Pace {
    /// When the next attempt may begin.
    fn next(&self) -> Instant {
        self.last_begin
            + Duration::try_from_secs_f64(1.0 / self.per_second).map_or(FOREVER, |gap| gap.min(FOREVER))
    }

    fn increased_exponentially(&self, now: Instant) -> bool {
        matches!(self.mode, Mode::Seeking(_) | Mode::Recovering)
            && now.saturating_duration_since(self.decreased_at) > SECOND
    }

    fn mode_after_decrease(&self, now: Instant) -> Mode {
        match self.mode {
            Mode::Throttled => Mode::Throttled,
            Mode::Seeking(since) if now.saturating_duration_since(since) > SECOND => Mode::Throttled,
            Mode::Seeking(since) => Mode::Seeking(since),
            Mode::Unresponsive(..) | Mode::Recovering => Mode::Seeking(now),
        }
    }

    fn increase(&self, now: Instant, settings: &PaceSettings) -> Increase {
        match self.mode {
            Mode::Throttled => {
                let calm = now.saturating_duration_since(self.decreased_at);
                let factor = calm.div_duration_f64(STEADY).max(1.0).powi(4);
                Increase::Linear(self.decreased_to * settings.increase * factor)
            }
            Mode::Seeking(_) | Mode::Recovering => Increase::Exponential,
            Mode::Unresponsive(..) => Increase::Linear(0.0),
        }
    }
}

/// The events of the last second.
#[derive(Debug, Default)]
struct LastSecond(VecDeque<Instant>);

impl LastSecond {
    fn add(&mut self, now: Instant) {
        self.count(now);
        self.0.push_back(now);
    }

    fn count(&mut self, now: Instant) -> f64 {
        while self
            .0
            .front()
            .is_some_and(|at| now.saturating_duration_since(*at) > SECOND)
        {
            self.0.pop_front();
        }
        u32::try_from(self.0.len()).map_or(f64::MAX, f64::from)
    }
}
