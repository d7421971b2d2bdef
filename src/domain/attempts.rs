/// The attempts of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// How many requests were sent to AWS, at least in part.
    pub count: u32,
    /// How many attempts were made. Some send nothing: the connection fails, or the attempt ends before
    /// there is one.
    pub made: u32,
    /// The AWS request id of the last response.
    pub request_id: Option<Box<str>>,
}

impl Attempts {
    /// One attempt, whose response had this AWS request id.
    ///
    /// Callers receive the id in headers, so an id that is not 1–128 visible ASCII characters
    /// is ignored.
    pub fn one(request_id: Option<&str>) -> Self {
        let usable = |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
        Self {
            count: 1,
            made: 1,
            request_id: request_id.filter(usable).map(Box::from),
        }
    }

    /// One attempt that sent nothing to AWS.
    pub fn unsent() -> Self {
        Self {
            made: 1,
            ..Self::default()
        }
    }

    /// Adds the attempts of a later step; a later request id replaces this one.
    pub fn add(&mut self, later: &Self) {
        self.count += later.count;
        self.made += later.made;
        if let Some(id) = &later.request_id {
            self.request_id = Some(id.clone());
        }
    }
}
