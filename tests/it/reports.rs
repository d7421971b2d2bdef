//! docs/reports.md: what was found wrong at real sites and under attack, each with the tests that hold it now.

use std::{collections::BTreeMap, env, fs, path::Path};

/// A report: its ID, what was wrong, and the tests.
type Report = (&'static str, &'static str, &'static [&'static str]);

#[rustfmt::skip]
const OF_SITES: &[Report] = &[
    ("A1", "a variable of the AWS SDK panics the process or its calls", &["every_variable_in_every_form_works_or_is_named", "every_variable_that_a_library_reads_has_a_rule", "a_line_end_in_a_credential_is_told_and_panics_nothing"]),
    ("A2", "requests to this machine and to metadata services go through a proxy", &["keys_on_loopback_are_fetched_directly_so_that_a_proxy_lets_nobody_in", "metadata_services_are_asked_directly", "dev_reaches_its_own_emulator", "a_collector_on_loopback_is_reached_directly", "no_proxy_exempts_aws"]),
    ("A3", "rotated AWS keys in a file are not seen", &["keys_that_rotate_in_a_file_under_load_fail_no_call", "a_file_that_appears_after_the_start_is_read"]),
    ("A4", "parts of the AWS credentials chain are left out", &["a_process_of_the_profile_provides_credentials", "a_session_of_iam_identity_center_provides_credentials", "a_session_of_the_console_provides_credentials_and_is_renewed", "a_web_identity_token_provides_the_credentials_of_a_role", "the_role_of_an_instance_provides_credentials", "the_endpoint_of_a_profile_is_called_and_shown", "what_a_profile_cannot_say_is_told_with_its_line"]),
    ("A5", "the cause of missing AWS credentials is lost", &["the_cause_is_shown_with_file_and_line_each_time"]),
    ("A6", "a create is sent after its call has ended", &["a_create_is_not_sent_after_its_deadline_if_the_credentials_come_later", "a_create_is_not_sent_after_its_deadline_if_the_tls_handshake_takes_longer", "a_create_is_not_sent_after_its_caller_cancels_during_the_tls_handshake"]),
    ("A7", "codes of AWS that are not known leave the outcome unknown", &["each_code_has_the_outcome_of_the_fixture", "an_unknown_code_is_not_retried_and_its_class_decides_the_outcome"]),
    ("A8", "`not_applied` is read as a statement about the client token", &["every_failure_of_every_operation_has_a_verdict_and_a_message_that_fit", "a_look_up_that_finds_no_tape_says_that_none_has_the_barcode"]),
    ("A9", "an agent that follows the advice repeats a call for ever", &["an_agent_that_obeys_the_verdict_ends_with_what_a_change_must_mend_and_outlasts_what_passes", "invalid_parameters_end_an_agent_that_obeys_the_verdict"]),
    ("A10", "endpoints of the environment act and are not shown", &["an_endpoint_of_the_environment_is_shown_with_its_variable", "every_variable_in_every_form_works_or_is_named"]),
    ("A11", "named tapes that did not come are not told", &["each_list_names_the_tapes_that_it_does_not_show", "a_hidden_tape_is_missing_like_one_that_does_not_exist"]),
    ("A12", "tags that AWS drops are not told", &["the_response_names_the_tags_that_aws_drops", "the_service_adds_the_tags_if_the_operator_allows_it"]),
    ("A13", "the names of old gateways are rejected", &["a_gateway_has_an_id_or_an_old_name"]),
    ("A14", "a misspelt pool makes a tape in another storage class", &["require_pool_rejects_a_create_without_a_pool", "the_response_and_the_described_tape_have_the_pool_of_the_request", "two_members_of_the_pool_are_named"]),
    ("A15", "`attempts` does not count look-ups", &["the_requests_of_a_look_up_count_as_attempts_everywhere"]),
    ("A16", "a 404 of the upstream is taken for the caller's mistake", &["an_upstream_that_is_not_aws_is_an_outage", "test_each_failure_has_its_alert_and_no_other"]),
    ("P1", "during `shutdown.delay` new connections are not served", &["new_connections_are_served_until_the_shutdown_delay_has_passed"]),
    ("P2", "calls that a drain cuts leave no status, line or record", &["calls_that_exceed_the_drain_timeout_get_a_status_and_a_record", "a_stream_that_is_cut_ends_with_its_status_after_whole_pages"]),
    ("P3", "the repeat of a create is charged twice", &["a_repeat_with_the_same_token_counts_once", "a_repeat_after_a_lost_response_counts_once", "a_repeat_with_the_same_barcode_counts_once"]),
    ("P4", "an upstream that is not AWS is seen by no alert", &["an_upstream_that_is_not_aws_is_an_outage", "test_each_failure_has_its_alert_and_no_other"]),
    ("P5", "a right that the AWS role lacks is taken for the caller's", &["the_missing_permission_of_the_role_is_named", "test_each_failure_has_its_alert_and_no_other"]),
    ("P6", "credentials that one region refuses are told nowhere", &["a_region_that_rejects_the_credentials_is_reported_though_the_other_one_is_well", "test_each_failure_has_its_alert_and_no_other"]),
    ("P7", "a gateway that is offline pages everybody and uses up the retries", &["a_gateway_that_does_not_respond_takes_no_retries_from_others", "a_failure_is_classified_by_code_and_reason", "test_each_failure_has_its_alert_and_no_other"]),
    ("P8", "locked out callers and traffic that stopped raise no alert", &["test_each_failure_has_its_alert_and_no_other", "test_the_rules_pass_their_unit_tests"]),
    ("P9", "what expires is not told", &["check_warns_of_what_expires_soon_and_fails_for_an_expired_server_certificate", "the_metric_follows_a_replaced_certificate", "test_each_failure_has_its_alert_and_no_other"]),
    ("P10", "the memory of an outage fails the first calls after it", &["an_outage_is_forgotten_without_traffic_and_the_first_burst_is_paced", "the_first_burst_of_creates_after_a_forgotten_outage_succeeds"]),
    ("P11", "idle admin connections starve the probes", &["idle_connections_do_not_block_others_for_long"]),
    ("P12", "several accounts have one set of credentials", &["each_call_lands_in_its_account_signed_by_its_role", "a_refused_role_is_told_and_touches_no_other_account", "an_account_without_a_role_is_refused", "credentials_of_another_account_serve_nothing", "a_page_of_another_account_is_an_error"]),
    ("P13", "certificates have one list of groups, and are named one by one", &["each_source_gives_name_groups_and_tags", "policies_decide_by_the_groups_and_tags_of_a_certificate", "test_the_list_has_all_but_the_secret", "test_tokens_are_revoked_by_name_and_by_id"]),
    ("P14", "metrics have no region, and rules know one installation for each job", &["no_attribute_names_a_caller_or_a_tape", "a_refused_role_is_told_and_touches_no_other_account", "test_each_failure_has_its_alert_and_no_other"]),
    ("P15", "it is ready before the keys of an issuer have come", &["the_start_waits_for_the_keys_of_every_issuer_though_others_can_call"]),
    ("P16", "the defaults do not fit the grace period of Kubernetes", &["check_warns_of_a_stop_that_takes_longer_than_kubernetes_waits"]),
    ("P17", "the admin page shows no lost audit records", &["audit_records_that_are_lost_are_shown"]),
    ("P18", "image, chart, unit and IAM policies are not shipped; tokens cannot be listed or revoked", &["test_the_list_has_all_but_the_secret", "test_tokens_are_revoked_by_name_and_by_id"]),
    ("P19", "one outage raises an alert twice; the last line is not JSON", &["the_last_line_of_a_json_log_is_json", "test_the_rules_pass_their_unit_tests"]),
];

#[rustfmt::skip]
const UNDER_ATTACK: &[Report] = &[
    ("H1", "answers are lost at the end of a connection", &["test_no_answer_is_lost_when_a_replica_drains", "test_no_answer_is_lost_when_a_connection_reaches_its_age", "a_drain_loses_no_answer_of_a_client_that_reads_late_and_still_sends"]),
    ("H2", "readers that do not read take all memory and all connections to AWS", &["test_neighbours_do_not_notice_an_attack", "a_call_whose_client_does_not_read_is_reset_and_its_neighbours_go_on", "beyond_max_unread_bytes_the_call_that_was_unread_for_longest_is_reset", "concurrent_streams_limits_a_caller_over_all_its_connections", "requests_that_do_not_end_hold_at_most_max_arriving_bytes", "attempts_in_flight_keeps_a_caller_waiting_and_others_not"]),
    ("H3", "the connections and calls of one client shut others out", &["the_clients_of_one_address_cannot_take_all_watches_and_checks", "test_neighbours_do_not_notice_an_attack", "one_address_cannot_take_all_places", "an_idle_connection_gives_its_place_to_a_new_one_and_a_used_one_does_not", "neither_lists_nor_creates_can_keep_the_other_out", "test_four_times_the_peak_is_answered_like_the_peak"]),
    ("H4", "the fault of one stream ends the other calls of its connection", &["rejected_calls_whose_messages_come_late_leave_their_connection_open", "a_call_whose_client_does_not_read_is_reset_and_its_neighbours_go_on"]),
    ("H5", "strangers fill the disk", &["test_strangers_do_not_fill_the_disk", "the_first_are_whole_and_the_rest_is_summed_up_exactly"]),
    ("H6", "without descriptors, connections and probes hang", &["test_neighbours_do_not_notice_that_descriptors_run_short"]),
    ("H7", "connections to the admin port shut probes out and slow calls down", &["test_neighbours_do_not_notice_an_attack", "idle_connections_do_not_block_others_for_long"]),
    ("H8", "floods of control frames slow others down", &["test_neighbours_do_not_notice_an_attack", "a_flood_of_pings_is_slowed_down_and_its_connection_goes_on", "a_client_whose_calls_need_no_aws_is_slowed_down_except_a_proxy", "a_client_that_opens_more_streams_than_it_may_is_slowed_down", "many_questions_to_reflection_wait"]),
    ("H9", "calls that a drain cuts get no status, and a drain accepts connections that it resets", &["calls_that_exceed_the_drain_timeout_get_a_status_and_a_record", "a_stream_that_is_cut_ends_with_its_status_after_whole_pages", "calls_in_progress_finish_and_new_ones_are_not_accepted"]),
    ("H10", "frames that break the rules of HTTP/2 are answered", &["test_only_the_documented_tests_fail"]),
    ("H11", "connections that were opened together end together", &["connections_that_were_opened_together_do_not_reach_their_age_together"]),
    ("H12", "after a moment without a replica, clients connect too late", &["test_an_outage_of_all_replicas_delays_calls_and_fails_none"]),
    ("H13", "calls that never end hold their connection beyond its age", &["a_connection_whose_call_never_ends_is_closed_after_the_grace", "a_stream_that_outlasts_the_grace_is_told_why_it_ends"]),
    ("H14", "the largest errors do not pass nginx", &["test_the_largest_errors_pass_the_default_buffer"]),
    ("H15", "a client that cancels quickly ends the calls of others on its connection", &["test_a_client_that_cancels_ends_no_call_of_its_neighbour"]),
    ("H16", "compressed requests are rejected", &["a_gzip_request_is_read", "a_message_over_the_limit_after_it_is_decompressed_is_rejected", "other_encodings_are_unimplemented"]),
    ("H17", "a connection that is dropped without a word hangs until the deadline", &["test_a_call_survives_a_connection_that_was_dropped_without_a_word"]),
    ("H18", "a static list of addresses does not work, and nothing says why", &["test_a_static_list_of_replicas_needs_an_authority", "what_is_rejected_before_it_is_a_call_is_counted"]),
    ("H19", "the service config does not outlast a restart", &["test_rolling_restarts_fail_no_call", "test_no_call_fails_while_the_only_replica_restarts"]),
    ("H20", "tools do not know the details of errors", &["test_tools_that_follow_imports_know_the_details_of_errors", "test_an_unknown_name_is_answered_and_the_stream_goes_on"]),
    ("H21", "the rejection of a large request does not pass HAProxy", &["test_the_refusal_of_a_large_request_passes_a_balancer"]),
    ("H22", "connections that wait at a stop are reset, and some errors name no cause or setting", &["test_rolling_restarts_fail_no_call", "over_tls_only_the_given_certificate_is_accepted", "violations_that_do_not_fit_are_counted", "a_message_over_the_limit_is_rejected"]),
];

/// The file of each test function, by name.
fn tests() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeMap::new();
    let mut folders = ["src", "tests"].map(|folder| root.join(folder)).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Ok(text) = fs::read_to_string(&path) else {
                continue;
            };
            let file = path.strip_prefix(root).unwrap().display().to_string();
            for line in text.lines().map(str::trim_start) {
                let line = line.trim_start_matches("async ");
                let name = line.strip_prefix("fn ").or_else(|| line.strip_prefix("def "));
                if let Some((name, _)) = name.and_then(|rest| rest.split_once('(')) {
                    found.entry(name.to_owned()).or_insert_with(|| file.clone());
                }
            }
        }
    }
    found
}

/// A table of reports, whose IDs are all of `ids`.
fn table(reports: &[Report], tests: &BTreeMap<String, String>, ids: impl Iterator<Item = String>) -> String {
    let mut rows = "| id | what was wrong | tests |\n|---|---|---|\n".to_owned();
    for (id, what, by) in reports {
        let by: Vec<_> = by
            .iter()
            .map(|name| {
                let file = tests
                    .get(*name)
                    .unwrap_or_else(|| panic!("{id}: there is no test {name}"));
                format!("`{name}` ([{}](../{file}))", file.rsplit('/').next().unwrap())
            })
            .collect();
        assert!(!by.is_empty(), "{id} has no test");
        rows += &format!("| {id} | {what} | {} |\n", by.join("<br>"));
    }
    assert!(reports.iter().map(|(id, ..)| (*id).to_owned()).eq(ids));
    rows
}

#[test]
fn the_page_has_the_tests_of_each_report() {
    let tests = tests();
    let numbers = |letter: char, last: usize| (1..=last).map(move |n| format!("{letter}{n}"));
    let of_sites = table(OF_SITES, &tests, numbers('A', 16).chain(numbers('P', 19)));
    let under_attack = table(UNDER_ATTACK, &tests, numbers('H', 22));
    let page = format!(
        "# Reports\n\nWhat was found wrong when the service was tried, and the tests that fail if it comes back. A test \
         writes this page: `UPDATE_DOCS=1 cargo test --test it -- the_page_has_the_tests_of_each_report`.\n\n\
         ## At real sites\n\n{of_sites}\n\
         ## Attacked, flooded and restarted\n\n`TAPEGATE_SIEGE=full` runs the tests in `tests/clients/siege` in full; \
         tests/soak/run does so with a release build.\n\n{under_attack}"
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reports.md");
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap_or_default(), page);
}
