//! Reads JSON documents: fault rules, snapshots and requests of the control API. Every problem is
//! reported at once.

use std::fmt;

use serde_json::{Map, Value};

/// Reads the members of a JSON object one by one, and collects every problem. A member that was not
/// read is a problem.
pub(crate) struct Members {
    path: String,
    left: Map<String, Value>,
    known: Vec<&'static str>,
    wrong: Vec<Problem>,
}

/// A problem of a JSON document: where it is, what is wrong, and what is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    path: String,
    message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

impl Problem {
    pub(crate) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }
}

impl Members {
    /// Reads the object at `path`, or returns every problem of it.
    pub(crate) fn read<T>(
        value: Value,
        path: impl Into<String>,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Result<T, Vec<Problem>> {
        let mut members = Self::of(value, path).map_err(|wrong| vec![wrong])?;
        let found = read(&mut members);
        members.finish(found)
    }

    /// The members of the object at `path`. The empty path is the whole document.
    pub(crate) fn of(value: Value, path: impl Into<String>) -> Result<Self, Problem> {
        let path = path.into();
        match value {
            Value::Object(left) => Ok(Self {
                path,
                left,
                known: Vec::new(),
                wrong: Vec::new(),
            }),
            other => Err(Problem::new(
                path,
                format!("{other} is wrong; it takes an object"),
            )),
        }
    }

    /// The value of a member as `read` returns it; `takes` says which values are right. `None` for a
    /// member that is absent, null or wrong.
    pub(crate) fn get<T>(
        &mut self,
        name: &'static str,
        takes: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        self.known.push(name);
        let value = self.left.remove(name).filter(|value| !value.is_null())?;
        let read = read(&value);
        if read.is_none() {
            self.fault(name, format!("{value} is wrong; it takes {takes}"));
        }
        read
    }

    /// The value of a required member.
    pub(crate) fn require<T>(
        &mut self,
        name: &'static str,
        takes: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        if self.left.get(name).is_none_or(Value::is_null) {
            self.known.push(name);
            self.left.remove(name);
            self.fault(name, format!("is missing; it takes {takes}"));
            return None;
        }
        self.get(name, takes, read)
    }

    /// Adds a problem of a member, or of the whole object if `name` is empty.
    pub(crate) fn fault(&mut self, name: &str, message: impl Into<String>) {
        let dot = if self.path.is_empty() || name.is_empty() {
            ""
        } else {
            "."
        };
        let path = format!("{}{dot}{name}", self.path);
        self.wrong.push(Problem {
            path,
            message: message.into(),
        });
    }

    /// Ignores the members that were not read.
    pub(crate) fn forget_the_rest(&mut self) {
        self.left.clear();
    }

    /// The result of reading, or every problem, unknown members included.
    pub(crate) fn finish<T>(mut self, read: Option<T>) -> Result<T, Vec<Problem>> {
        let known = self.known.join(", ");
        for name in std::mem::take(&mut self.left).keys() {
            self.fault(name, format!("is unknown; the members are {known}"));
        }
        match read {
            Some(read) if self.wrong.is_empty() => Ok(read),
            _ => Err(self.wrong),
        }
    }
}
