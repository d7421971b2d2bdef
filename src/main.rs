//! The `tapegate` program.

mod dev;
mod environment;

use std::{
    env,
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use dev::Dev;
use tikv_jemallocator::Jemalloc;

use tapegate::{
    app::{
        App, Cut, Inherited,
        cli::{self, Command, Stop},
        network::Tcp,
        settings, shutdown,
    },
    observability::telemetry::{self, Telemetry},
};

/// A call allocates some 800 times, which takes half as long as with the allocator of glibc.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

const DEV: &str = "dev";
const EMULATOR: &str = "emulator";

fn main() -> ExitCode {
    let program = cli::program()
        .subcommand(dev::command())
        .subcommand(tapegate_emulator::cli::command(EMULATOR));
    let matches = match program.try_get_matches_from(env::args_os()) {
        Ok(matches) => matches,
        Err(usage) => return Stop::Usage(usage).report(),
    };
    let variables = env::vars_os().collect();
    if let Err(error) = environment::clean(&variables, matches.subcommand_name() == Some(DEV)) {
        report(&error);
        return ExitCode::from(cli::MISUSE);
    }
    match matches.subcommand() {
        Some((EMULATOR, matches)) => {
            let of_service = settings::variables();
            let of_service: Vec<_> = of_service.iter().map(String::as_str).collect();
            tapegate_emulator::cli::execute("tapegate", matches, &variables, &of_service)
        }
        Some((DEV, matches)) => match Dev::read(matches, &variables) {
            Ok(dev) => block_on(dev.config().server.worker_threads, run_dev(dev)),
            Err(faults) => {
                let _ = write!(io::stderr(), "{faults}");
                ExitCode::from(cli::MISUSE)
            }
        },
        _ => match Inherited::take(&variables) {
            Ok(inherited) => match cli::command(&matches, &variables, &inherited) {
                Ok(command) => block_on(command.worker_threads(), run(command, inherited)),
                Err(stop) => stop.report(),
            },
            Err(invalid) => {
                report(&invalid);
                ExitCode::from(cli::MISUSE)
            }
        },
    }
}

/// Runs a command to its end, and reports its error. By default there are as many worker threads as the
/// process may use processors, by its affinity and the quota of its cgroup.
fn block_on(
    worker_threads: Option<usize>,
    command: impl Future<Output = Result<ExitCode, Box<dyn Error>>>,
) -> ExitCode {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = worker_threads {
        runtime.worker_threads(threads);
    }
    let done = runtime
        .enable_all()
        .build()
        .map_err(Into::into)
        .and_then(|runtime| {
            let done = runtime.block_on(command);
            // What goes on after its bound, such as sending to a collector that is away, is left.
            runtime.shutdown_background();
            done
        });
    // Before what is printed here.
    telemetry::finish_stderr();
    match done {
        Ok(code) => code,
        Err(error) => {
            report(&*error);
            ExitCode::FAILURE
        }
    }
}

fn report(error: &dyn Error) {
    // Nobody is left to tell when stderr is closed.
    let _ = writeln!(io::stderr(), "tapegate: {error}");
}

async fn run(command: Command, inherited: Inherited) -> Result<ExitCode, Box<dyn Error>> {
    match command {
        Command::Check(checked) => {
            let checked = checked.fitted_to_machine();
            io::stdout().write_all(checked.document.as_bytes())?;
            let warnings = checked.warnings();
            write!(io::stderr(), "{warnings}")?;
            if warnings.are_fatal() {
                return Ok(ExitCode::from(cli::MISUSE));
            }
        }
        Command::Explain(config, call) => {
            return Ok(match call.explain(&config, &mut io::stdout()) {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::FAILURE,
                // An error has another exit code than a denial.
                Err(error) => {
                    report(&error);
                    ExitCode::from(cli::MISUSE)
                }
            });
        }
        Command::Health(check) => check.run().await?,
        Command::Token(token) => token.run(&mut io::stdout(), &mut io::stderr())?,
        Command::Serve(checked) => {
            let checked = checked.fitted_to_machine();
            let config = &checked.config;
            let telemetry = telemetry::start(
                &config.log,
                Some(&config.otlp),
                telemetry::stderr(config.log.queue)?,
            )?;
            let ran = serve(App::serve_on(&Tcp { inherited }, checked, None).await?).await;
            return end(ran, telemetry).await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn serve(app: App) -> Result<(), Box<dyn Error>> {
    let shutdown = shutdown::requested()?;
    announce(&format!("{}\n", app.addresses()));
    Ok(app.run(shutdown).await?)
}

async fn run_dev(dev: Dev) -> Result<ExitCode, Box<dyn Error>> {
    let config = dev.config();
    let telemetry = telemetry::start(
        &config.log,
        Some(&config.otlp),
        telemetry::stderr(config.log.queue)?,
    )?;
    let ran = dev::run(dev, announce).await;
    end(ran, telemetry).await
}

/// Sends the last telemetry. That calls were cut is logged like all other lines, because the log may
/// be read by a program.
async fn end(ran: Result<(), Box<dyn Error>>, telemetry: Telemetry) -> Result<ExitCode, Box<dyn Error>> {
    let code = match ran {
        Err(error) if error.is::<Cut>() => {
            tracing::error!(%error, "the service did not stop cleanly");
            Ok(ExitCode::FAILURE)
        }
        ended => ended.map(|()| ExitCode::SUCCESS),
    };
    telemetry.shut_down().await;
    code
}

/// Prints the first lines on stdout: where the program listens, and more about it.
fn announce(lines: &str) {
    // The program runs also when nobody reads its output.
    let _ = io::stdout()
        .write_all(lines.as_bytes())
        .and_then(|()| io::stdout().flush());
}
