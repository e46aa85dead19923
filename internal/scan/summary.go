package scan

import "time"

// Progress tells how far a scan is.
type Progress struct {
	Targets  uint64        // in all; 0 when unknown
	Done     uint64        // verdicts given, or settled as silent so far
	Sent     uint64        // attempts that left this machine
	Answered uint64        // verdicts that rest on an answer
	Open     uint64        //
	Rate     float64       // packets a second, of late
	Loss     float64       // share of answers lost, of late; 0 when unknown
	Pass     int           // 0 asks everything, later ones what did not answer
	ETA      time.Duration // what is left; negative when unknown
	Limited  int           // hosts that are asked at the pace of their own limits
}

// Summary is the account of a scan.
type Summary struct {
	Mode          string // "raw" or "connect"
	Targets       uint64 // verdicts given
	Sent          uint64 // attempts that left this machine
	Retransmitted uint64 // of these, repetitions
	Replies       uint64 // packets that answered a probe, duplicates included
	Answered      uint64 // verdicts that rest on an answer, be it a refusal
	Open          uint64
	Closed        uint64
	Filtered      uint64 // by an answer that says so, or by silence over TCP
	Silent        uint64 // verdicts that rest on silence
	Unmeasured    uint64
	Unroutable    uint64 // of these, those to which there is no way
	Undecided     uint64 // UDP ports, in Silent, that a limit on ICMP errors may have kept from answering
	OutOfScope    uint64 // addresses that InScope kept from being asked
	Recovered     uint64 // verdicts that an earlier attempt had missed
	Sentinels     uint64 // repetitions that measured the loss
	SentinelsLost uint64
	RingDrops     uint64 // answers that found no room on this side
	Forged        uint64 // packets that pretended to be answers
	// Missing is the estimated number of targets that would have answered and
	// were not heard.
	Missing float64
	// Completeness is the share of the answerable targets that were heard;
	// NaN when nothing answered, so that there is nothing to judge by.
	Completeness float64
	Seed         uint64
	Concurrency  int // bound on probes at once; 0: none
	Started      time.Time
	Duration     time.Duration
	Partial      bool     // cancelled before the end
	Notes        []string // what limited the scan, one line each
}
