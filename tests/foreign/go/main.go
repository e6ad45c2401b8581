// Checks a published log with the packages that read Go's checksum database: golang.org/x/mod/sumdb.
//
// Usage: verify KEY LOG MORE. KEY is the log's verifier key, LOG its folder; MORE holds notes of
// earlier checkpoints (*.note) and proofs of leaves (*.tlog-proof). Prints what it checked.
//
// The tree is built anew from the entries, and every tile is compared with it: the tile reader of
// distributions' versions takes some tiles unchecked (Go issue 80744).
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

// folder is a log. Its tiles are C2SP's, whose paths have no height, and say "entries" for data.
type folder string

func (f folder) Height() int                     { return height }
func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

func (f folder) read(tile tlog.Tile) ([]byte, error) {
	path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
	return os.ReadFile(filepath.Join(string(f), strings.Replace(path, "/data/", "/entries/", 1)))
}

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, err := f.read(tile)
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// stored is a tree built from entries.
type stored []tlog.Hash

func (s stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var all []tlog.Hash
	for _, index := range indexes {
		all = append(all, s[index])
	}
	return all, nil
}

// open gives the tree of a checkpoint that the log's key signed.
func open(signed []byte, key note.Verifier) tlog.Tree {
	opened, err := note.Open(signed, note.VerifierList(key))
	check(err)
	origin, rest, _ := strings.Cut(opened.Text, "\n")
	require(origin == key.Name(), "the checkpoint is one of %q", origin)
	tree, err := tlog.ParseTree([]byte("go.sum database tree\n" + rest))
	check(err)
	return tree
}

// entries reads every bundle and builds the tree of what is in them.
func entries(logs folder, size int64) (all [][]byte, built stored) {
	for n := int64(0); n<<height < size; n++ {
		width := 1 << height
		if left := int(size - n<<height); left < width {
			width = left
		}
		data, err := logs.read(tlog.Tile{H: height, L: -1, N: n, W: width})
		check(err)
		for i := 0; i < width; i++ {
			length := int(binary.BigEndian.Uint16(data))
			entry := data[2 : 2+length]
			data = data[2+length:]
			hashes, err := tlog.StoredHashes(int64(len(all)), entry, built)
			check(err)
			all, built = append(all, entry), append(built, hashes...)
		}
		require(len(data) == 0, "bundle %d goes on", n)
	}
	return all, built
}

// compare reads every tile of the tree, and old ones that are still there.
func compare(logs folder, size int64, built stored) {
	for _, tile := range tlog.NewTiles(height, 0, size) {
		data, err := logs.read(tile)
		now := tile.W == 1<<height || tile.N<<height+int64(tile.W) == size>>(height*tile.L)
		if os.IsNotExist(err) && !now {
			continue
		}
		check(err)
		expected, err := tlog.ReadTileData(tile, built)
		check(err)
		require(bytes.Equal(data, expected), "%s is another", tile.Path())
	}
}

// proven checks a proof that the log's own software wrote.
func proven(file []byte, key note.Verifier, all [][]byte) {
	head, signed, _ := bytes.Cut(file, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	var index int64
	_, err := fmt.Sscanf(lines[1], "index %d", &index)
	check(err)
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		data, err := base64.StdEncoding.DecodeString(line)
		check(err)
		var hash tlog.Hash
		copy(hash[:], data)
		proof = append(proof, hash)
	}
	tree := open(signed, key)
	check(tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(all[index])))
}

func files(pattern string) (all [][]byte) {
	names, err := filepath.Glob(pattern)
	check(err)
	for _, name := range names {
		data, err := os.ReadFile(name)
		check(err)
		all = append(all, data)
	}
	return all
}

func require(holds bool, format string, details ...any) {
	if !holds {
		log.Fatalf(format, details...)
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	log.SetFlags(0)
	key, err := note.NewVerifier(os.Args[1])
	check(err)
	logs, more := folder(os.Args[2]), os.Args[3]
	signed, err := os.ReadFile(filepath.Join(string(logs), "checkpoint"))
	check(err)
	tree := open(signed, key)
	all, built := entries(logs, tree.N)
	root, err := tlog.TreeHash(tree.N, built)
	check(err)
	require(root == tree.Hash, "the entries give another root")
	compare(logs, tree.N, built)
	hashes := tlog.TileHashReader(tree, logs)
	earlier := files(filepath.Join(more, "*.note"))
	for _, signed := range earlier {
		old := open(signed, key)
		proof, err := tlog.ProveTree(tree.N, old.N, hashes)
		check(err)
		check(tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash))
	}
	for n := int64(0); n < tree.N; n += 997 {
		proof, err := tlog.ProveRecord(tree.N, n, hashes)
		check(err)
		check(tlog.CheckRecord(proof, tree.N, tree.Hash, n, tlog.RecordHash(all[n])))
	}
	proofs := files(filepath.Join(more, "*.tlog-proof"))
	for _, file := range proofs {
		proven(file, key, all)
	}
	fmt.Printf("%d entries, %d earlier checkpoints, %d proofs\n", len(all), len(earlier), len(proofs))
}
