use std::{net::SocketAddr, path::PathBuf};

use secrecy::SecretString;

use super::{
    form::{AccessKeyId, Address, FilePath, SecretKey, Text as _},
    group,
};

group! {
    /// The process that runs an emulator: its address and its files.
    pub(crate) struct Process: "The process" {
        /// The address that the emulator serves the AWS API on.
        listen: SocketAddr as "Address" = SocketAddr::from(([127, 0, 0, 1], 4588)),
        /// The file that keeps the emulator's state across restarts and crashes. A new file is made
        /// and seeded. Without it, the state ends with the process.
        state: Option<PathBuf> as "FilePath" = None,
        /// The access key id that requests to the emulator may be signed with. With neither this nor
        /// `credentials`, only the form, the scope and the date of a signature are checked.
        /// `tapegate dev` has a pair of its own.
        access_key_id: Option<String> as "AccessKeyId" = None,
        /// The secret of that access key. Prefer the variable or the file: other users of the machine
        /// can read flags.
        secret_access_key: Option<SecretString> as "SecretKey" = None,
        /// A file of credentials that requests may be signed with, in the format of AWS's shared
        /// credentials file. Every profile counts: its aws_access_key_id, aws_secret_access_key and,
        /// if present, aws_session_token and aws_account_id.
        credentials: Option<PathBuf> as "FilePath" = None,
        /// A JSON file with the fault rules that the emulator starts with. docs/emulator.md describes
        /// the rules.
        faults: Option<PathBuf> as "FilePath" = None,
    }
}
