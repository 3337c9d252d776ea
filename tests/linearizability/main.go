// Command linearizability judges the recorded history of a drill (docs/drill.md has its form) with
// porcupine, which knows nothing of this system: are the writer's operations of each epoch those of
// one register a record?
//
// It reads the history's lines from standard input and prints one line of JSON an epoch:
// {"writer", "operations", "linearizable", "illegal": [numbers]}. Exit code 1: one isn't; 2: no
// history.
//
// A write is put-if-absent under the record's number: the first that takes effect decides the id,
// and every later one is answered by the same. One that got no answer may take effect at any time
// after its beginning, or never; one that was refused never does. A read-back counts where the
// writer's own region answered it, since the other one follows. The rows that the writer's region
// showed at the end are reads of the last epoch.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"sort"

	"github.com/anishathalye/porcupine"
)

// line is any line of a history; fields that it doesn't have are zero.
type line struct {
	Line     string  `json:"line"`
	Kind     string  `json:"kind"`
	Number   int     `json:"number"`
	Began    float64 `json:"began"`
	Ended    float64 `json:"ended"`
	Outcome  string  `json:"outcome"`
	Region   string  `json:"region"`
	Record   string  `json:"record"`
	At       float64 `json:"at"`
	Source   string  `json:"source"`
	What     string  `json:"what"`
	Key      string  `json:"key"`
	Complete bool    `json:"complete"`
}

// epoch is a time in which one region writes, from the first moment until before the last.
type epoch struct {
	writer   string
	from, to float64
}

type call struct {
	write  bool
	number int
}

// answer: known is false for a write that got none, and for a read that found the record without
// saying its id; record is empty for a read that found nothing.
type answer struct {
	known  bool
	record string
}

const (
	absent  = ""
	someone = "?" // there, under an id that nobody was told
)

// register is one record's life: its state is its id.
var register = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := map[int][]porcupine.Operation{}
		for _, one := range history {
			number := one.Input.(call).number
			parts[number] = append(parts[number], one)
		}
		found := [][]porcupine.Operation{}
		for _, part := range parts {
			found = append(found, part)
		}
		return found
	},
	Init: func() interface{} { return absent },
	Step: func(state, input, output interface{}) (bool, interface{}) {
		before, asked, got := state.(string), input.(call), output.(answer)
		switch {
		case asked.write && !got.known && before == absent:
			return true, someone
		case asked.write && !got.known:
			return true, before
		case asked.write && before == absent:
			return true, got.record
		case !asked.write && !got.known:
			return before != absent, before
		case before == someone && got.record != absent:
			return true, got.record
		default:
			return before == got.record, before
		}
	},
}

func main() {
	lines, err := read(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	code := 0
	for _, one := range epochs(lines) {
		history := operations(lines, one)
		illegal := judge(history)
		if len(illegal) > 0 {
			code = 1
		}
		said, _ := json.Marshal(map[string]interface{}{
			"writer": one.writer, "operations": len(history),
			"linearizable": len(illegal) == 0, "illegal": illegal,
		})
		fmt.Println(string(said))
	}
	os.Exit(code)
}

func read(from io.Reader) ([]line, error) {
	found := []line{}
	scanner := bufio.NewScanner(from)
	scanner.Buffer(make([]byte, 1<<20), 1<<20)
	for scanner.Scan() {
		var one line
		if err := json.Unmarshal(scanner.Bytes(), &one); err != nil {
			return nil, fmt.Errorf("line %d is no JSON: %w", len(found)+1, err)
		}
		found = append(found, one)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no history")
	}
	return found, scanner.Err()
}

// epochs are cut where the drill saw another writer than before.
func epochs(lines []line) []epoch {
	seen := []line{}
	for _, one := range lines {
		if one.Line == "seen" && one.Source == "writer" && one.What != "unknown" && one.What != "" {
			seen = append(seen, one)
		}
	}
	sort.SliceStable(seen, func(i, j int) bool { return seen[i].At < seen[j].At })
	found := []epoch{}
	for _, one := range seen {
		last := len(found) - 1
		if last >= 0 && found[last].writer == one.What {
			continue
		}
		from := one.At
		if last < 0 {
			from = math.Inf(-1)
		} else {
			found[last].to = one.At
		}
		found = append(found, epoch{one.What, from, math.Inf(1)})
	}
	return found
}

// operations of the records of which each request began and ended within the epoch; the change of
// the writer itself may lose what was under way.
func operations(lines []line, of epoch) []porcupine.Operation {
	outside := map[int]bool{}
	end := 0.0
	for _, one := range lines {
		if one.Line == "operation" && one.Number >= 0 {
			end = math.Max(end, one.Ended)
			if one.Began < of.from || one.Ended >= of.to {
				outside[one.Number] = true
			}
		}
	}
	history := []porcupine.Operation{}
	add := func(asked call, got answer, began, ended float64) {
		back := int64(math.MaxInt64)
		if !math.IsInf(ended, 1) {
			back = nanoseconds(ended)
		}
		history = append(history, porcupine.Operation{
			ClientId: len(history), Input: asked, Call: nanoseconds(began), Output: got, Return: back,
		})
	}
	for _, one := range lines {
		if one.Line != "operation" || one.Number < 0 || outside[one.Number] {
			continue
		}
		switch {
		case one.Kind == "write" && one.Outcome == "ok":
			add(call{true, one.Number}, answer{true, one.Record}, one.Began, one.Ended)
		case one.Kind == "write" && one.Outcome == "unknown":
			add(call{true, one.Number}, answer{}, one.Began, math.Inf(1))
		case one.Kind == "read-back" && one.Region == of.writer && one.Outcome == "ok":
			add(call{false, one.Number}, answer{one.Record != absent, one.Record}, one.Began, one.Ended)
		case one.Kind == "read-back" && one.Region == of.writer && one.Outcome == "absent":
			add(call{false, one.Number}, answer{true, absent}, one.Began, one.Ended)
		}
	}
	if math.IsInf(of.to, 1) {
		for number, records := range shown(lines, of.writer) {
			if !outside[number] {
				for _, record := range records {
					add(call{false, number}, answer{true, record}, end+1, end+2)
				}
			}
		}
	}
	return history
}

// shown is what a region held at the end, by number: its ids, or absent; nothing where it wasn't
// read to its end.
func shown(lines []line, region string) map[int][]string {
	complete := false
	found := map[int][]string{}
	for _, one := range lines {
		if one.Line == "operation" && one.Number >= 0 {
			found[one.Number] = nil
		}
	}
	for _, one := range lines {
		if one.Region != region || one.What != "row" {
			continue
		}
		complete = complete || (one.Line == "reading" && one.Complete)
		if one.Line == "found" {
			found[one.Number] = append(found[one.Number], one.Key)
		}
	}
	if !complete {
		return nil
	}
	for number, records := range found {
		if len(records) == 0 {
			found[number] = []string{absent}
		}
	}
	return found
}

// judge names the numbers whose operations no order explains.
func judge(history []porcupine.Operation) []int {
	illegal := []int{}
	for _, part := range register.Partition(history) {
		if !porcupine.CheckOperations(register, part) {
			illegal = append(illegal, part[0].Input.(call).number)
		}
	}
	sort.Ints(illegal)
	return illegal
}

func nanoseconds(seconds float64) int64 { return int64(seconds * 1e9) }
