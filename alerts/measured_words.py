"""What is said of the rules that compare a figure with a threshold; see `messages.py`."""

from __future__ import annotations

from collections.abc import Mapping

from alerts.words import Words, n_

MEASURED: Mapping[str, Words] = {
    "service_down": Words(
        n_("The service {unit} is down"),
        "",
        n_("Look at its log: journalctl -u {unit} -n 50; then: systemctl restart {unit}"),
    ),
    "app_crash_loop": Words(
        n_("{unit} of {app} keeps falling over"),
        n_("Started anew within ten minutes: {number} times"),
        n_("See why: journalctl -u {unit} -n 100"),
    ),
    "app_oom_killed": Words(
        n_("The kernel killed processes of {app} for want of memory"),
        n_("Within a quarter of an hour: {number}"),
        n_("See who uses the memory: coloc-agent apps"),
    ),
    "app_errors": Words(
        n_("{app} answers with errors: {percent} %"),
        "",
        n_("See its log, and whether it was upgraded: coloc-agent status"),
    ),
    "php_pool_saturated": Words(
        n_("Visitors of {app} wait for PHP (pool {pool})"),
        n_("Connections that wait: {number}"),
        n_("All workers are busy: see why it is slow, or raise pm.max_children"),
    ),
    "database_connections_nearly_out": Words(
        n_("The database server {kind} has {percent} % of its connections in use"),
        "",
        n_("See whose they are on the dashboard; the next ones are refused"),
    ),
    "database_silent": Words(
        n_("The database server {kind} does not tell the agent anything"),
        "",
        n_("Is it running? If so: coloc-agent database-accounts"),
    ),
    "machine_stalled": Words(
        n_("The machine stands still: everything waits for {resource}, {percent} % of the time"),
        "",
        n_("See who: coloc-agent apps; with io also: iotop"),
    ),
    "processor_saturated": Words(
        n_("The processors are not enough: tasks wait {percent} % of the time"),
        "",
        n_("See who works: coloc-agent apps"),
    ),
    "processor_stolen": Words(
        n_("The host takes {percent} % of our processor time"),
        "",
        n_("Tell those who run the cluster: the host is too full"),
    ),
    "memory_low": Words(
        n_("Memory is short: {percent} % is left"),
        "",
        n_("See who uses it: coloc-agent apps"),
    ),
    "network_down": Words(
        n_("The server has no way out to the network"),
        "",
        n_("From the console: ip route; ip link; then: systemctl restart networking"),
    ),
    "files_nearly_out": Words(
        n_("The filesystem {filesystem} has used {percent} % of the files that it can hold"),
        "",
        n_("Find where they are: du --inodes -xS / | sort -n | tail"),
    ),
    "disk_read_only": Words(
        n_("Nothing can be written to {filesystem}"),
        "",
        n_("Look at once: dmesg | tail -50; back up before you mend anything"),
    ),
    "disk_full_soon": Words(
        n_("The disk {filesystem} is full in about {hours} hours if it goes on"),
        "",
        n_("See which app grows: coloc-agent apps"),
    ),
    "certificate_expiring": Words(
        n_("The certificate of {domain} ends in {days} days"),
        "",
        n_("Renew it: yunohost domain cert renew {domain}"),
    ),
    "backup_unproven": Words(
        n_("The backups of {app} at {host} are not proven"),
        n_("Last proof: {days} days ago"),
        n_("Read them back: coloc-agent backup {app} --host {host}"),
    ),
    "mail_burst": Words(
        n_("{app} sends much mail: about {number} in an hour"),
        "",
        n_("Hacked? Hold the queue: postsuper -h ALL; look: mailq"),
    ),
    "mail_queue_long": Words(
        n_("Mail does not leave: about {number} wait"),
        "",
        n_("See why: mailq | tail; postqueue -p"),
    ),
    "messages_waiting": Words(
        n_("Messages do not leave on {channel}"),
        n_("The oldest has waited for about {hours} h"),
        n_("See what is wrong and what to do: coloc-agent check; nothing is lost"),
    ),
    "heartbeat_failing": Words(
        n_("The heartbeat's ping does not arrive: nobody would notice that this server is silent"),
        n_("For about {hours} h"),
        n_("See why: journalctl -u coloc-agent | grep ping; mend heartbeat: in coloc.yml"),
    ),
    "alertmanager_failing": Words(
        n_("Alertmanager does not take our incidents"),
        "",
        n_("See why: coloc-agent check; what is open is posted again until it takes it"),
    ),
    "reboot_required": Words(
        n_("The server waits for a reboot"),
        "",
        n_("Announce it, then reboot when few people are there"),
    ),
    "security_upgrades_waiting": Words(
        n_("Security upgrades wait: {number}"),
        "",
        n_("Install them: yunohost tools update, then yunohost tools upgrade system"),
    ),
}
CUSTOM = Words(
    n_("{text}"),
    "",
    n_("A rule of your own; see rules in coloc.yml"),
)
FOREIGN = Words(
    n_("{text}"),
    n_("It says: {why}"),
    n_("Told by Alertmanager; what to do: {where}"),
)
