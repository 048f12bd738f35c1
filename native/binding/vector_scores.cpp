#include "binding/vector_scores.h"

#include <string>
#include <utility>
#include <vector>

#include "binding/convert.h"
#include "binding/environment.h"
#include "binding/fields.h"
#include "core/error.h"
#include "core/sizes.h"
#include "engine/vector_scores.h"

namespace st::binding {

namespace {

TokenCode to_code(const std::string& name, const std::string& field) {
  if (name == "float16") return TokenCode::kFloat16;
  if (name == "int8") return TokenCode::kInt8;
  check(name == "binary", "ERR_INVALID_ARGUMENT", "Expected float16, int8 or binary for ", field, " but received ",
        name);
  return TokenCode::kBits;
}

// A number for each of `dim`.
const float* to_numbers_of(const Fields& fields, const char* name, int64_t dim, std::vector<Napi::Value>& keep) {
  const Napi::Float32Array numbers = to_borrowed_floats(fields.get(name), fields.path(name));
  check(static_cast<int64_t>(numbers.ElementLength()) == dim, "ERR_INVALID_ARGUMENT", "Expected ", dim, " values for ",
        fields.path(name), " but received ", numbers.ElementLength());
  keep.push_back(numbers);
  return numbers.Data();
}

TokenCodes to_codes(const Fields& fields, int64_t dim, const Napi::Uint8Array& bytes, std::vector<Napi::Value>& keep) {
  TokenCodes out{
      .code = to_code(fields.string("precision"), fields.path("precision")), .data = bytes.Data(), .width = dim};
  const bool is_even = reinterpret_cast<uintptr_t>(out.data) % 2 == 0;
  check(out.code != TokenCode::kFloat16 || is_even, "ERR_INVALID_ARGUMENT", "Expected ", fields.path("codes"),
        " at a multiple of 2 bytes");
  if (out.code != TokenCode::kInt8) return out;
  out.scales_D = to_numbers_of(fields, "scales", dim, keep);
  out.shifts_D = to_numbers_of(fields, "shifts", dim, keep);
  return out;
}

// `{ data, offsets }`, or with `codes` in place of `data`; both are borrowed.
GivenVectors to_vectors(Napi::Value value, const char* what, int64_t dim, std::vector<Napi::Value>& keep) {
  const Fields fields(value, what, {"data", "codes", "precision", "scales", "shifts", "offsets"});
  const Napi::Int32Array offsets = to_integers(fields.get("offsets"), fields.path("offsets"));
  GivenVectors out;
  out.offsets.assign(offsets.Data(), offsets.Data() + offsets.ElementLength());
  if (fields.has("codes")) {
    const Napi::Uint8Array bytes = to_borrowed_bytes(fields.get("codes"), fields.path("codes"));
    out.codes = to_codes(fields, dim, bytes, keep);
    out.size = static_cast<int64_t>(bytes.ElementLength());
    keep.push_back(bytes);
  } else {
    Napi::Float32Array data = to_borrowed_floats(fields.get("data"), fields.path("data"));
    out.data = data.Data();
    out.size = static_cast<int64_t>(data.ElementLength());
    keep.push_back(data);
  }
  check_given(out, dim, what);
  return out;
}

int64_t rows_of(const GivenVectors& given) {
  return static_cast<int64_t>(given.offsets.size()) - 1;
}

void check_size(size_t size, int64_t expected, const char* name) {
  check(static_cast<int64_t>(size) == expected, "ERR_INVALID_ARGUMENT", "Expected ", expected, " values for ", name,
        " but received ", size);
}

}  // namespace

Napi::Value score_vectors(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    std::vector<Napi::Value> keep;
    const int64_t dim = to_integer(info[2], "dim", 1);
    auto queries = to_vectors(info[0], "queries", dim, keep);
    auto documents = to_vectors(info[1], "documents", dim, keep);
    const Fields options(info[3], "options", {"mean", "topK", "byRow"});
    const bool by_row = options.boolean("byRow", false);
    const MaxSim how{.mean = options.boolean("mean", false),
                     .top_k = options.has("topK") ? to_integer(options.get("topK"), "options.topK", 1) : 0};
    Napi::Float32Array scores = to_borrowed_floats(info[4], "scores");
    keep.push_back(scores);
    const int64_t rows = rows_of(queries), count = rows_of(documents);
    check(!by_row || rows == count, "ERR_INVALID_ARGUMENT", "Expected as many documents as queries, ", rows,
          ", but received ", count);
    check_size(scores.ElementLength(), by_row ? rows : checked_product("queries × documents", {rows, count}), "scores");
    float* out = scores.Data();
    JobKind kind;
    kind.yields = true;
    return Environment::of(info.Env())
        .enqueue(kind, keep, [queries = std::move(queries), documents = std::move(documents), dim, how, by_row, out] {
          score_vectors(queries, documents, dim, how, by_row, out);
        });
  });
}

Napi::Value pool_vectors(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    std::vector<Napi::Value> keep;
    const int64_t dim = to_integer(info[1], "dim", 1);
    auto given = to_vectors(info[0], "vectors", dim, keep);
    check(!given.codes, "ERR_INVALID_ARGUMENT", "Expected float32 numbers for vectors.data");
    const Fields options(info[2], "options", {"poolFactor", "numProtectedTokens", "normalizeEmbeddings"});
    const TokenPooling how{options.number("poolFactor"),
                           to_integer(options.get("numProtectedTokens"), "options.numProtectedTokens", 0),
                           options.boolean("normalizeEmbeddings", true)};
    check_token_pooling(how);
    Napi::Float32Array out = to_borrowed_floats(info[3], "out");
    Napi::Int32Array counts = to_borrowed_integers(info[4], "counts");
    check_size(out.ElementLength(), given.size, "out");
    check_size(counts.ElementLength(), rows_of(given), "counts");
    keep.push_back(out);
    keep.push_back(counts);
    float* data = out.Data();
    int32_t* count_data = counts.Data();
    return Environment::of(info.Env()).enqueue({}, keep, [given = std::move(given), dim, how, data, count_data] {
      pool_vectors(given, dim, how, data, count_data);
    });
  });
}

}  // namespace st::binding
