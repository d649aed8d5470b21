// Only Go's standard library: net/http, encoding/json, slog (with ACCESS_LOG=true).
//
// encoding/json reads a null among the numbers as 0. Otherwise it rejects the same bodies as Tally.
package main

import (
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"math"
	"net/http"
	"os"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"
)

const bodyBytesMax = 32 << 20

type payload struct {
	Numbers []float64 `json:"numbers"`
	Text    string    `json:"text"`
}

func (p *payload) valid() bool {
	characters := utf8.RuneCountInString(p.Text)
	return len(p.Numbers) >= 1 && len(p.Numbers) <= 1_000_000 && characters >= 1 && characters <= 1_000_000
}

type numericAnalysis struct {
	Count             int     `json:"count"`
	Minimum           float64 `json:"minimum"`
	Maximum           float64 `json:"maximum"`
	Mean              float64 `json:"mean"`
	Median            float64 `json:"median"`
	StandardDeviation float64 `json:"standard_deviation"`
}

type textAnalysis struct {
	WordCount              int `json:"word_count"`
	CharacterCount         int `json:"character_count"`
	CharacterCountNoSpaces int `json:"character_count_no_spaces"`
	SentenceCount          int `json:"sentence_count"`
	ParagraphCount         int `json:"paragraph_count"`
}

type summary struct {
	NumericAnalysis  numericAnalysis `json:"numeric_analysis"`
	TextAnalysis     textAnalysis    `json:"text_analysis"`
	ProcessingTimeMs float64         `json:"processing_time_ms"`
}

func analyze(w http.ResponseWriter, r *http.Request) {
	var p payload
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, bodyBytesMax))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if _, err := decoder.Token(); err != io.EOF || !p.valid() {
		http.Error(w, "not a payload", http.StatusBadRequest)
		return
	}
	start := time.Now()
	s := summary{NumericAnalysis: analyzeNumbers(p.Numbers), TextAnalysis: analyzeText(p.Text)}
	s.ProcessingTimeMs = math.Round(time.Since(start).Seconds()*1e5) / 100
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(s)
}

func analyzeNumbers(numbers []float64) numericAnalysis {
	slices.Sort(numbers)
	n := len(numbers)
	sum := 0.0
	for _, x := range numbers {
		sum += x
	}
	mean := sum / float64(n)
	squares := 0.0
	for _, x := range numbers {
		squares += (x - mean) * (x - mean)
	}
	deviation := 0.0
	if n > 1 {
		deviation = math.Sqrt(squares / float64(n-1))
	}
	return numericAnalysis{
		Count:             n,
		Minimum:           numbers[0],
		Maximum:           numbers[n-1],
		Mean:              mean,
		Median:            (numbers[(n-1)/2] + numbers[n/2]) / 2,
		StandardDeviation: deviation,
	}
}

func analyzeText(text string) (a textAnalysis) {
	var inWord, inSentence, inParagraph bool
	for i, r := range text {
		a.CharacterCount++
		if r != ' ' {
			a.CharacterCountNoSpaces++
		}
		switch r {
		case '\n', '\r', '\u2028', '\u2029':
			inParagraph = false
		}
		if isWhiteSpace(r) {
			inWord = false
		} else {
			if !inWord {
				a.WordCount++
			}
			if !inParagraph {
				a.ParagraphCount++
			}
			inWord, inParagraph = true, true
			if !isTerminator(r) {
				inSentence = inSentence || !isClosing(r)
			} else if inSentence && (r != '.' || canFollowSentence(text[i+1:])) {
				a.SentenceCount++
				inSentence = false
			}
		}
	}
	if inSentence {
		a.SentenceCount++
	}
	return a
}

// White space as Python's str.split() defines it: Unicode's and the four ASCII separators.
func isWhiteSpace(r rune) bool {
	return unicode.IsSpace(r) || (r >= 0x1c && r <= 0x1f)
}

func isTerminator(r rune) bool {
	switch r {
	case '.', '!', '?', '…', '。', '！', '？':
		return true
	}
	return false
}

// A full stop ends a sentence only before white space, closing punctuation or the end of the text.
func canFollowSentence(rest string) bool {
	if rest == "" {
		return true
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return isWhiteSpace(r) || isClosing(r)
}

func isClosing(r rune) bool {
	return r == '"' || r == '\'' || unicode.In(r, unicode.Pe, unicode.Pi, unicode.Pf)
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func withAccessLog(next http.Handler) http.Handler {
	logger := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		sw := &statusWriter{w, http.StatusOK}
		next.ServeHTTP(sw, r)
		logger.LogAttrs(r.Context(), slog.LevelInfo, "request",
			slog.String("method", r.Method),
			slog.String("path", r.URL.Path),
			slog.Int("status", sw.status),
			slog.Float64("duration_ms", time.Since(start).Seconds()*1e3),
		)
	})
}

func respondWith(json string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, json)
	}
}

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /payload", analyze)
	mux.HandleFunc("GET /health", respondWith(`{"status":"ok"}`))
	mux.HandleFunc("GET /ready", respondWith(`{"status":"ready"}`))
	var handler http.Handler = mux
	if os.Getenv("ACCESS_LOG") == "true" {
		handler = withAccessLog(handler)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), handler))
}
