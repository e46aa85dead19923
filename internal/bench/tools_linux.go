package bench

import (
	"fmt"
	"strconv"
	"time"
)

// Names of the contestants, in the order of the table.
const (
	toolBare    = "bare loop"
	toolOurs    = "reconshield"
	toolMasscan = "masscan"
	toolZmap    = "zmap"
	toolNmap    = "nmap"
)

// FullSpeed stands for no limit on a tool's rate.
const FullSpeed = 10_000_000

// Kit says where the contestants are and how the scanner reaches the peer.
type Kit struct {
	Ours  string // path of the reconshield binary; "" leaves it out
	Self  string // path of this very test binary, which is the bare loop
	Empty string // an empty file
	stage *Stage
	scene Scene
}

// absent is a station that is not there.
const absent = "02:00:00:00:00:01"

// gateway is the hardware address that all probes go to.
func (k Kit) gateway() string {
	if k.scene.Sink {
		return absent
	}
	return k.stage.peerMAC.String()
}

// bare is the limit: copies of one SYN to target.
func (k Kit) bare(target string, port uint16, count int) Trial {
	return Trial{
		Tool: toolBare, Setting: "full speed", Bound: time.Minute,
		Command: []string{k.Self},
		Env: []string{
			envFlood + "=" + fmt.Sprintf("%s %s %s %s %d %d", scannerDevice, k.stage.scannerMAC, k.gateway(), target, port, count),
		},
		Own: ownFlood,
	}
}

// setting names a rate.
func setting(rate int) string {
	if rate >= FullSpeed {
		return "full speed"
	}
	return strconv.Itoa(rate/1000) + " k/s"
}

// masscan sweeps one port of a prefix.
func (k Kit) masscan(targets, ports string, rate int) Trial {
	return Trial{
		Tool: toolMasscan, Setting: setting(rate), Bound: 2 * time.Minute,
		Command: []string{
			toolMasscan, targets, "-p" + ports, "--rate", strconv.Itoa(rate), "--wait", "2",
			"--router-mac", k.gateway(), "-e", scannerDevice, "-oL", outputFile,
		},
		Read: readMasscan, Own: ownMasscan,
	}
}

// zmap sweeps one port of a prefix.
func (k Kit) zmap(targets string, port uint16, rate int) Trial {
	return Trial{
		Tool: toolZmap, Setting: setting(rate), Bound: 2 * time.Minute,
		Command: []string{
			toolZmap, "-p", strconv.Itoa(int(port)), "-r", strconv.Itoa(rate), "-c", "2",
			"-G", k.gateway(), "-i", scannerDevice, "-S", scannerAddress,
			"-b", k.Empty, "--disable-syslog", "-o", outputFile, targets,
		},
		Read: readZmap(port), Own: ownZmap,
	}
}

// nmap scans with the given options.
func (k Kit) nmap(name string, bound time.Duration, options ...string) Trial {
	return Trial{
		Tool: toolNmap, Setting: name, Bound: bound,
		Command: append([]string{toolNmap, "-n", "-Pn", "-oX", outputFile}, options...),
		Read:    readNmap,
	}
}

// ours scans with the given options, naming what is open and counting the rest.
func (k Kit) ours(name string, options ...string) Trial {
	return Trial{
		Tool: toolOurs, Setting: name, Bound: 3 * time.Minute,
		Command: append([]string{
			k.Ours, "scan", "--no-discover", "--format", "jsonl", "--output", outputFile, "--stats", statsFile,
		}, options...),
		Read: readOurs, Own: ownOurs, Said: saidOurs,
	}
}

// oursAll scans with the given options, naming every target's state.
func (k Kit) oursAll(name string, options ...string) Trial {
	return k.ours(name, append(options, "--show", "all")...)
}
