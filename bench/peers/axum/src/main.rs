//! axum with serde_json; with ACCESS_LOG=true one JSON line per request from tracing.

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request},
    http::StatusCode,
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Instant;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    numbers: Vec<f64>,
    text: String,
}

impl Payload {
    fn is_valid(&self) -> bool {
        (1..=1_000_000).contains(&self.numbers.len())
            && (1..=1_000_000).contains(&self.text.chars().count())
    }
}

#[derive(Serialize)]
struct NumericAnalysis {
    count: usize,
    minimum: f64,
    maximum: f64,
    mean: f64,
    median: f64,
    standard_deviation: f64,
}

#[derive(Default, Serialize)]
struct TextAnalysis {
    word_count: usize,
    character_count: usize,
    character_count_no_spaces: usize,
    sentence_count: usize,
    paragraph_count: usize,
}

#[derive(Serialize)]
struct Summary {
    numeric_analysis: NumericAnalysis,
    text_analysis: TextAnalysis,
    processing_time_ms: f64,
}

async fn analyze(Json(mut payload): Json<Payload>) -> Result<Json<Summary>, StatusCode> {
    if !payload.is_valid() {
        return Err(StatusCode::BAD_REQUEST);
    }
    let start = Instant::now();
    let numeric_analysis = analyze_numbers(&mut payload.numbers);
    let text_analysis = analyze_text(&payload.text);
    let processing_time_ms = (start.elapsed().as_secs_f64() * 1e5).round() / 100.0;
    Ok(Json(Summary {
        numeric_analysis,
        text_analysis,
        processing_time_ms,
    }))
}

/// Plain sums, and the median with the standard library's selection.
fn analyze_numbers(numbers: &mut [f64]) -> NumericAnalysis {
    let count = numbers.len();
    let mean = numbers.iter().sum::<f64>() / count as f64;
    let squares = numbers.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>();
    let minimum = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let maximum = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (below, &mut upper, _) = numbers.select_nth_unstable_by(count / 2, f64::total_cmp);
    let median = if count % 2 == 1 {
        upper
    } else {
        (below.iter().copied().fold(f64::NEG_INFINITY, f64::max) + upper) / 2.0
    };
    let standard_deviation = if count == 1 {
        0.0
    } else {
        (squares / (count - 1) as f64).sqrt()
    };
    NumericAnalysis {
        count,
        minimum,
        maximum,
        mean,
        median,
        standard_deviation,
    }
}

fn analyze_text(text: &str) -> TextAnalysis {
    let mut analysis = TextAnalysis::default();
    let (mut in_word, mut in_sentence, mut in_paragraph) = (false, false, false);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        analysis.character_count += 1;
        if c != ' ' {
            analysis.character_count_no_spaces += 1;
        }
        if matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}') {
            in_paragraph = false;
        }
        if is_white_space(c) {
            in_word = false;
        } else {
            analysis.word_count += usize::from(!in_word);
            analysis.paragraph_count += usize::from(!in_paragraph);
            (in_word, in_paragraph) = (true, true);
            if !is_terminator(c) {
                in_sentence = in_sentence || !is_closing(c);
            } else if in_sentence && (c != '.' || can_follow_sentence(characters.peek())) {
                analysis.sentence_count += 1;
                in_sentence = false;
            }
        }
    }
    analysis.sentence_count += usize::from(in_sentence);
    analysis
}

/// White space as Python's str.split() defines it: Unicode's and the four ASCII separators.
fn is_white_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

fn is_terminator(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '…' | '。' | '！' | '？')
}

/// A full stop ends a sentence only before white space, closing punctuation or the end of the text.
fn can_follow_sentence(after: Option<&char>) -> bool {
    after.is_none_or(|&c| is_white_space(c) || is_closing(c))
}

/// Unicode closing punctuation (Pe) and quotes (Pi, Pf) outside ASCII.
const CLOSING: &str = "»༻༽᚜’”›⁆⁾₎⌉⌋〉❩❫❭❯❱❳❵⟆⟧⟩⟫⟭⟯⦄⦆⦈⦊⦌⦎⦐⦒⦔⦖⦘⧙⧛⧽⸃⸅⸊⸍⸝⸡⸣⸥⸧⸩⹖⹘⹚⹜〉》」』】〕〗〙〛〞〟﴾︘︶︸︺︼︾﹀﹂﹄﹈﹚﹜﹞）］｝｠｣«‘‛“‟‹⸂⸄⸉⸌⸜⸠";

fn is_closing(c: char) -> bool {
    matches!(c, '"' | '\'' | ')' | ']' | '}') || (!c.is_ascii() && CLOSING.contains(c))
}

async fn access_log(request: Request, next: Next) -> Response {
    let start = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    tracing::info!(
        %method,
        path,
        status = response.status().as_u16(),
        duration_ms = start.elapsed().as_secs_f64() * 1e3,
        "request"
    );
    response
}

#[tokio::main]
async fn main() {
    let mut app = Router::new()
        .route("/payload", post(analyze))
        .route("/health", get(async || Json(json!({ "status": "ok" }))))
        .route("/ready", get(async || Json(json!({ "status": "ready" }))))
        .layer(DefaultBodyLimit::max(32 * 1024 * 1024));
    if std::env::var("ACCESS_LOG").is_ok_and(|on| on == "true") {
        tracing_subscriber::fmt().json().flatten_event(true).init();
        app = app.layer(middleware::from_fn(access_log));
    }
    let port = std::env::var("PORT").expect("PORT is set");
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}"))
        .await
        .unwrap();
    axum::serve(listener, app).await.unwrap();
}
