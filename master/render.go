package master

import (
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"time"

	"mezzo/master/core"
)

// documents are what was made of one view, for all who ask for it: a hundred who
// poll a large cluster cost as much as one.
type documents struct {
	mu   sync.Mutex
	made map[string]*document // by what it is
}

// document is made by whoever needs it first.
type document struct {
	once, zip, join sync.Once
	body            pieces
	size            int
	zipped, joined  []byte
	err             error
}

// text is the document in one piece, for those who need it so.
func (d *document) text() []byte {
	d.join.Do(func() { d.joined = d.body.join() })
	return d.joined
}

// keepDocuments is how long those of the newest view are kept after the last was made:
// readers that come later make them anew, if nothing happened since. Those of views
// before go with them.
const keepDocuments = 10 * time.Second

func (d *documents) get(name string) *document {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.made == nil {
		d.made = map[string]*document{}
	}
	doc := d.made[name]
	if doc == nil {
		doc = &document{}
		d.made[name] = doc
	}
	return doc
}

func (d *documents) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.made = nil
}

// forgetDocuments lets go what nobody asked for in a while.
func (m *Master) forgetDocuments() {
	if v := m.lead().loop.cached.Load(); v != nil {
		v.documents.forget()
	}
}

// newEncoders makes the places for those who make documents: one processor is left
// to the loop, which would else wait for its turn behind all of them.
func newEncoders() chan struct{} { return make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1)) }

// document returns what making makes of the state, once for all who ask for name at
// the same moment; without a name it is shared with nobody.
func (m *Master) document(name string, making func(*core.Snapshot) (pieces, error)) (*document, error) {
	v, err := m.lead().loop.readView()
	if err != nil {
		return nil, err
	}
	return m.documentOf(v, name, making)
}

// documentOf is document, of a view.
func (m *Master) documentOf(v *view, name string, making func(*core.Snapshot) (pieces, error)) (*document, error) {
	doc := &document{}
	if name != "" {
		doc = v.documents.get(name)
	}
	doc.once.Do(func() {
		m.encoders <- struct{}{}
		defer func() { <-m.encoders }()
		doc.body, doc.err = making(v.sorted())
		doc.size = doc.body.size()
		m.fading.Reset(keepDocuments)
	})
	return doc, doc.err
}

// respondDocument answers with a JSON document that is made of the state alone.
func (m *Master) respondDocument(w http.ResponseWriter, r *http.Request, name string, making func(*core.Snapshot) (pieces, error)) {
	doc, err := m.document(name, making)
	switch {
	case err != nil:
		fail(w, err)
	case r.URL.Query().Get("jsonp") != "":
		respondJSONText(w, r, doc.text())
	default:
		m.sendDocument(w, r, "application/json", doc)
	}
}

// sendDocument answers with doc, compressed once for all who want that.
func (m *Master) sendDocument(w http.ResponseWriter, r *http.Request, kind string, doc *document) {
	w.Header().Set("Content-Type", kind)
	if doc.size < gzipMinBytes || !acceptsGzip(r) {
		w.Header().Set("Content-Length", strconv.Itoa(doc.size))
		_ = doc.body.writeTo(w)
		return
	}
	doc.zip.Do(func() {
		m.encoders <- struct{}{}
		defer func() { <-m.encoders }()
		doc.zipped = compress(doc.body)
	})
	announceGzip(w)
	_, _ = w.Write(doc.zipped)
}
