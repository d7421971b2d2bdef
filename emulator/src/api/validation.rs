//! Reads the members of a request by the shapes of the service model.
//!
//! An AWS JSON service parses the whole body first, so a member of the wrong JSON type
//! is a `SerializationException` and hides all else; then it lists every violated
//! constraint in one `ValidationException`. The texts follow those of AWS's services.

use serde_json::{Map, Value};

use crate::protocol::Error;

/// The number of violations that a message lists; further ones are only counted.
const MAX_LISTED: usize = 20;
/// The number of characters of an invalid value that a message repeats.
const MAX_ECHOED: usize = 100;

/// A shape of the service model: reads a JSON value and records what is wrong with it.
pub(super) trait Shape {
    type Output: Default;

    /// Reads a value that is not null. The result for an invalid value is not used.
    fn read(&self, value: Value, at: &str, faults: &mut Faults) -> Self::Output;
}

/// What is wrong with a request so far.
#[derive(Default)]
pub(super) struct Faults {
    mistyped: Option<String>,
    violations: Vec<String>,
}

impl Faults {
    /// Records a constraint that a value violates.
    pub(super) fn violated(&mut self, value: &str, at: &str, constraint: &str) {
        let echo: String = value.chars().take(MAX_ECHOED).collect();
        let cut = if echo.len() < value.len() { "…" } else { "" };
        self.violations.push(format!(
            "Value '{echo}{cut}' at '{at}' failed to satisfy constraint: {constraint}"
        ));
    }

    /// Records a required member that is absent.
    fn missing(&mut self, at: &str) {
        self.violations.push(format!(
            "Value null at '{at}' failed to satisfy constraint: Member must not be null"
        ));
    }

    /// Records a value of the wrong JSON type.
    pub(super) fn mistyped(&mut self, value: &Value, at: &str, wanted: &str) {
        let message = match value {
            Value::Object(_) => format!("Start of structure or map found where not expected at '{at}'."),
            Value::Array(_) => format!("Start of list found where not expected at '{at}'."),
            Value::Null => format!("NULL_VALUE at '{at}' can not be converted to {wanted}"),
            Value::Bool(true) => format!("TRUE_VALUE at '{at}' can not be converted to {wanted}"),
            Value::Bool(false) => format!("FALSE_VALUE at '{at}' can not be converted to {wanted}"),
            Value::Number(_) => format!("NUMBER_VALUE at '{at}' can not be converted to {wanted}"),
            Value::String(_) => format!("STRING_VALUE at '{at}' can not be converted to {wanted}"),
        };
        self.mistyped.get_or_insert(message);
    }

    fn into_result(self) -> Result<(), Invalid> {
        if let Some(message) = self.mistyped {
            return Err(Invalid::Mistyped(message));
        }
        let found = self.violations.len();
        if found == 0 {
            return Ok(());
        }
        let plural = if found == 1 { "" } else { "s" };
        let mut message = format!("{found} validation error{plural} detected: ");
        message.push_str(&self.violations[..found.min(MAX_LISTED)].join("; "));
        if found > MAX_LISTED {
            message.push_str("; …");
        }
        Err(Invalid::Violated(message))
    }
}

/// A request with invalid members.
pub(super) enum Invalid {
    /// A member has the wrong JSON type.
    Mistyped(String),
    /// Members violate constraints.
    Violated(String),
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        match invalid {
            Invalid::Mistyped(message) => Self::serialization(message),
            Invalid::Violated(message) => Self::common("ValidationException", message),
        }
    }
}

/// The members of a structure, read one by one. Members that are not read are ignored.
pub(super) struct Members<'a> {
    members: Map<String, Value>,
    path: String,
    faults: &'a mut Faults,
}

impl<'a> Members<'a> {
    pub(super) fn new(members: Map<String, Value>, path: String, faults: &'a mut Faults) -> Self {
        Self {
            members,
            path,
            faults,
        }
    }

    /// A member that may be absent; null is absent.
    pub(super) fn optional<S: Shape>(&mut self, name: &str, shape: &S) -> Option<S::Output> {
        let at = self.at(name);
        match self.members.remove(name) {
            None | Some(Value::Null) => None,
            Some(value) => Some(shape.read(value, &at, self.faults)),
        }
    }

    /// A required member.
    pub(super) fn required<S: Shape>(&mut self, name: &str, shape: &S) -> S::Output {
        let value = self.optional(name, shape);
        if value.is_none() {
            let at = self.at(name);
            self.faults.missing(&at);
        }
        value.unwrap_or_default()
    }

    /// In messages, AWS writes the first letter of a member in lower case.
    fn at(&self, name: &str) -> String {
        let (first, rest) = name.split_at(1);
        format!("{}{}{rest}", self.path, first.to_lowercase())
    }
}

/// Reads a body with `read`, which reads the known members.
///
/// # Errors
/// `SerializationException` for a body that is not a JSON object or has a member of the wrong
/// type; `ValidationException` with every violated constraint.
pub(super) fn read<T>(body: &[u8], read: impl FnOnce(&mut Members<'_>) -> T) -> Result<T, Error> {
    let members: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|error| Error::serialization(format!("The body is not a JSON object: {error}")))?;
    Ok(read_members(members, read)?)
}

/// Reads the members of a request with `read`, which reads the known members.
///
/// # Errors
/// The first member of the wrong type, or else every violated constraint.
pub(super) fn read_members<T>(
    members: Map<String, Value>,
    read: impl FnOnce(&mut Members<'_>) -> T,
) -> Result<T, Invalid> {
    let mut faults = Faults::default();
    let request = read(&mut Members::new(members, String::new(), &mut faults));
    faults.into_result().map(|()| request)
}
