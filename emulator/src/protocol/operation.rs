const TARGET_PREFIX: &str = "StorageGateway_20130630.";

macro_rules! operations {
    (#[doc = $about:literal] $type:ident { $($name:ident,)+ }) => {
        #[doc = $about]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $type {
            $($name,)+
        }

        impl $type {
            /// The operation of a name.
            pub(crate) fn from_name(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($name) => Some(Self::$name),)+
                    _ => None,
                }
            }

            /// The name, for a log line.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }
        }
    };
}

operations! {
    /// An operation of Storage Gateway.
    Operation {
        AddTagsToResource,
        AssignTapePool,
        CreateTapePool,
        CreateTapeWithBarcode,
        CreateTapes,
        DeleteTape,
        DeleteTapeArchive,
        DeleteTapePool,
        DescribeGatewayInformation,
        DescribeTapeArchives,
        DescribeTapes,
        ListGateways,
        ListTagsForResource,
        ListTapePools,
        ListTapes,
        RetrieveTapeArchive,
    }
}

operations! {
    /// An operation of STS.
    StsOperation {
        AssumeRole,
        AssumeRoleWithWebIdentity,
        GetCallerIdentity,
    }
}

impl Operation {
    /// The operation of an `X-Amz-Target`.
    pub(crate) fn from_target(target: &str) -> Option<Self> {
        Self::from_name(target.strip_prefix(TARGET_PREFIX)?)
    }
}
