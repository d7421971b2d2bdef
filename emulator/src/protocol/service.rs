/// A service that the emulator answers for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    StorageGateway,
    Sts,
}

impl Service {
    /// Its name in the scope of a signature.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::StorageGateway => "storagegateway",
            Self::Sts => "sts",
        }
    }
}
