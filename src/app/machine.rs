//! What the machine gives this process, held against the settings: open files and memory.

mod cgroup;
mod descriptors;
mod memory;

use std::path::Path;

pub use self::memory::Held;
use super::{commands::Checked, machine::descriptors::Connections};

impl Checked {
    /// Reduces the limits of connections to what the limit of open files has room for, and adds what an
    /// operator should change, also because of the memory that the cgroup of this process has.
    #[must_use]
    pub fn fitted_to_machine(mut self) -> Self {
        let wanted = Connections::of(&self.config);
        if let Some(limit) = descriptors::raise_limit(wanted.descriptors())
            && let Some(fitting) = wanted.within(limit)
        {
            self.advice.push(wanted.advice(limit, fitting));
            fitting.apply(&mut self.config);
        }
        let memory = cgroup::memory_limit(Path::new("/"));
        let advice = memory.and_then(|limit| Held::at_most(&self.config).advice(limit));
        self.advice.extend(advice);
        self
    }
}
