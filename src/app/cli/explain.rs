//! Explaining a decision, as `tapegate check --as NAME` does.

use std::{
    io::{self, Write},
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::{
    access::policy::{AuthorizationRequest, PolicyDecision, PolicyEngine, TapeView},
    app::config::Config,
    call::Caller,
    domain::{
        CreateTapeWithBarcode, CreateTapes, DescribeTapeArchives, DescribeTapes, Encryption, GatewayArn,
        Invalid, ListTapes, NewTape, Operation, PageRequest, Pool, Principal, Proof, Scope, TapeSize,
        TapeSizeBounds,
    },
};

const AS: &str = "as";
const ACTIONS: [&str; 6] = [
    CreateTapes::NAME,
    CreateTapeWithBarcode::NAME,
    DescribeTapes::NAME,
    ListTapes::NAME,
    DescribeTapeArchives::NAME,
    "ReadTape",
];

/// Adds what says whose decision is to be explained.
pub(super) fn arguments(command: Command) -> Command {
    const HEADING: &str = "explain a decision";
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name(value)
            .help(help)
            .help_heading(HEADING)
            .requires(AS)
    };
    let only = |arg: Arg| arg.requires(AS);
    command
        .arg(
            Arg::new(AS)
                .long(AS)
                .value_name("NAME")
                .requires("action")
                .help_heading(HEADING)
                .help("Say what the policies decide for this principal, and which of them; exit with 0 if it is allowed, 1 if not, 2 if that cannot be said"),
        )
        .arg(text("group", "GROUP", "A group that the principal is in; may be given again").action(ArgAction::Append))
        .arg(text("action", "ACTION", "What the principal wants to do").value_parser(ACTIONS))
        .arg(text("gateway", "ARN", "The gateway that it is to be done on; of a tape: in whose library it is"))
        .arg(text("pool", "POOL", "The pool of the tapes to be created, or of the tape to be read"))
        .arg(text("size-gib", "GIB", "The size of each tape to be created. Default: the least").value_parser(value_parser!(i64)))
        .arg(text("tapes", "COUNT", "How many tapes are to be created. Default: 1").value_parser(value_parser!(u8).range(1..=10)))
        .arg(text("barcode", "BARCODE", "The barcode of the tape to be created, or to be read. Default: EXAMPLE"))
        .arg(text("prefix", "PREFIX", "What the barcodes are to begin with. Default: EX"))
        .arg(text("kms-key", "KEY", "The KMS key that the tapes are to be encrypted with"))
        .arg(only(Arg::new("worm").long("worm").help("The tapes are to be WORM").help_heading(HEADING).action(ArgAction::SetTrue)))
        .arg(text("tape", "ARN", "The tape to be read"))
        .arg(text("status", "STATUS", "The status of the tape to be read, such as ARCHIVED"))
        .arg(text("address", "IP", "Where the call comes from. Default: 127.0.0.1").value_parser(value_parser!(IpAddr)))
}

/// What is to be explained.
#[derive(Clone, Debug)]
pub struct Imagined {
    caller: Caller,
    action: String,
    gateway: Option<String>,
    pool: Option<String>,
    size_gib: Option<i64>,
    tapes: u8,
    barcode: Option<String>,
    prefix: String,
    kms_key: Option<String>,
    worm: bool,
    tape: Option<String>,
    status: Option<String>,
}

/// A decision cannot be explained.
#[derive(Debug, thiserror::Error)]
pub enum Unexplained {
    /// What is asked makes no sense.
    #[error("{flag}: {why}")]
    Wrong {
        /// The flag that is wrong, or missing.
        flag: &'static str,
        /// What would be right.
        why: String,
    },
    /// There are no policies.
    #[error("policy.path is not set: there are no policies to ask")]
    NoPolicies,
    /// The policies cannot be read.
    #[error("{}", .0.join("\n"))]
    Policies(Vec<String>),
    /// Nobody reads what is said.
    #[error("{0}")]
    Unread(#[from] io::Error),
}

impl Imagined {
    /// What the arguments ask for; `None` where they ask for no explanation.
    pub(super) fn read(matches: &ArgMatches) -> Result<Option<Self>, Unexplained> {
        let text = |name| matches.get_one::<String>(name).cloned();
        let (Some(name), Some(action)) = (text(AS), text("action")) else {
            return Ok(None);
        };
        let groups = matches.get_many::<String>("group").unwrap_or_default().cloned();
        // How a principal is proved is nothing to policies.
        let principal =
            Principal::new(name, groups, Proof::Certificate).ok_or_else(|| Unexplained::Wrong {
                flag: "--as",
                why: "a name or a group is empty, too long, or has control characters".to_owned(),
            })?;
        let address = matches.get_one("address").copied();
        Ok(Some(Self {
            caller: Caller::new(principal, address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))),
            action,
            gateway: text("gateway"),
            pool: text("pool"),
            size_gib: matches.get_one("size-gib").copied(),
            tapes: matches.get_one("tapes").copied().unwrap_or(1),
            barcode: text("barcode"),
            prefix: text("prefix").unwrap_or_else(|| "EX".to_owned()),
            kms_key: text("kms-key"),
            worm: matches.get_flag("worm"),
            tape: text("tape"),
            status: text("status"),
        }))
    }

    /// Says what the policies decide, and why; returns whether it is allowed.
    ///
    /// # Errors
    /// [`Unexplained`].
    pub fn explain(&self, config: &Config, to: &mut impl Write) -> Result<bool, Unexplained> {
        let policy = config.policy.as_ref().ok_or(Unexplained::NoPolicies)?;
        let request = self.request(config, policy.unset_pool.as_str())?;
        let open = |what, path| PolicyEngine::open(what, path).map_err(Unexplained::Policies);
        let engine = open("policy.path", &policy.path)?.load();
        let decision = engine.decide(&request);
        let name = self.caller.principal.name();
        let (action, resource) = (&self.action, request.resource());
        let word = |decision: &PolicyDecision| if decision.is_allowed { "allowed" } else { "denied" };
        writeln!(to, "{}: {name}, {action}, {resource}", word(&decision))?;
        writeln!(to, "  {}", reason(&decision, &engine))?;
        for (attribute, value) in request.attributes() {
            writeln!(to, "  with {attribute} = {value}")?;
        }
        if let Some(trial) = &policy.trial {
            let engine = open("policy.trial", trial)?.load();
            let other = engine.decide(&request);
            writeln!(to, "on trial: {}\n  {}", word(&other), reason(&other, &engine))?;
        }
        Ok(decision.is_allowed)
    }

    fn request(&self, config: &Config, unset_pool: &str) -> Result<AuthorizationRequest, Unexplained> {
        let scope = Scope {
            region: config.scope.region.clone(),
            account: config.scope.account_id.clone(),
        };
        let (tapes, page) = (Arc::new([]), PageRequest::default());
        let caller = &self.caller;
        Ok(match self.action.as_str() {
            CreateTapes::NAME => {
                let create = CreateTapes {
                    client_token: parsed("--action", "explained")?,
                    count: self.tapes,
                    prefix: parsed("--prefix", &self.prefix)?,
                    tape: self.tape(config)?,
                };
                AuthorizationRequest::of(caller, &create, unset_pool)
            }
            CreateTapeWithBarcode::NAME => {
                let create = CreateTapeWithBarcode {
                    barcode: parsed("--barcode", self.barcode.as_deref().unwrap_or("EXAMPLE"))?,
                    tape: self.tape(config)?,
                };
                AuthorizationRequest::of(caller, &create, unset_pool)
            }
            DescribeTapes::NAME => {
                let gateway = self.gateway()?;
                AuthorizationRequest::of(caller, &DescribeTapes { gateway, tapes, page }, unset_pool)
            }
            ListTapes::NAME => {
                AuthorizationRequest::of(caller, &ListTapes { scope, tapes, page }, unset_pool)
            }
            DescribeTapeArchives::NAME => {
                AuthorizationRequest::of(caller, &DescribeTapeArchives { scope, tapes, page }, unset_pool)
            }
            _ => {
                let tape = self
                    .tape
                    .as_deref()
                    .ok_or_else(|| missing("--tape", "give the tape's ARN"))?;
                let barcode = tape.rsplit('/').next().unwrap_or_default();
                let view = TapeView {
                    arn: tape,
                    barcode: self.barcode.as_deref().unwrap_or(barcode),
                    pool: self.pool.as_deref().unwrap_or_default(),
                    status: self.status.as_deref().unwrap_or_default().into(),
                    gateway: self.gateway.as_deref(),
                };
                AuthorizationRequest::of_tape(caller, scope.account.as_ref(), &scope.region, &view)
            }
        })
    }

    fn gateway(&self) -> Result<GatewayArn, Unexplained> {
        let arn = self.gateway.as_deref();
        parsed(
            "--gateway",
            arn.ok_or_else(|| missing("--gateway", "give the gateway's ARN"))?,
        )
    }

    fn tape(&self, config: &Config) -> Result<NewTape, Unexplained> {
        let tapes = &config.tapes;
        let gib = self.size_gib.unwrap_or(tapes.min_size_gib);
        let wrong = |flag| move |invalid: Invalid| missing(flag, &invalid.to_string());
        let bounds =
            TapeSizeBounds::gib(tapes.min_size_gib, tapes.max_size_gib).map_err(wrong("--size-gib"))?;
        let key = self
            .kms_key
            .as_deref()
            .map(|key| parsed("--kms-key", key))
            .transpose()?;
        Ok(NewTape {
            gateway: self.gateway()?,
            size: TapeSize::new(gib.saturating_mul(1 << 30), &bounds).map_err(wrong("--size-gib"))?,
            encryption: Encryption::new(key.is_some().then_some(true), key).map_err(wrong("--kms-key"))?,
            pool: self
                .pool
                .as_deref()
                .map(|pool| parsed::<Pool>("--pool", pool))
                .transpose()?,
            worm: Some(self.worm),
            tags: Arc::new([]),
        })
    }
}

fn reason(decision: &PolicyDecision, engine: &PolicyEngine) -> String {
    match (decision.is_allowed, decision.policies.is_empty()) {
        (true, _) => format!("by {}", decision.policy_names()),
        (false, false) => format!("forbidden by {}", decision.policy_names()),
        (false, true) => format!("none of the {} policies allows it", engine.len()),
    }
}

fn parsed<T: std::str::FromStr<Err = Invalid>>(flag: &'static str, text: &str) -> Result<T, Unexplained> {
    text.parse()
        .map_err(|invalid: Invalid| missing(flag, &invalid.to_string()))
}

fn missing(flag: &'static str, why: &str) -> Unexplained {
    Unexplained::Wrong {
        flag,
        why: why.to_owned(),
    }
}
