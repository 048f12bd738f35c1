#include "binding/sparse_search.h"

#include <string>
#include <utility>
#include <vector>

#include "binding/convert.h"
#include "binding/environment.h"
#include "binding/fields.h"
#include "core/error.h"
#include "core/sizes.h"
#include "engine/sparse_search.h"

namespace st::binding {

namespace {

void check_length(size_t found, int64_t expected, const std::string& field) {
  check(static_cast<int64_t>(found) == expected, "ERR_INVALID_ARGUMENT", "Expected ", expected, " values for ", field,
        " but received ", found);
}

// An object of typed arrays that a job borrows. `keep` receives them.
class Arrays {
 public:
  Arrays(const Fields& fields, std::vector<Napi::Value>& keep) : fields_(fields), keep_(keep) {}

  Napi::Int32Array integers(const char* name) const {
    return kept(to_borrowed_integers(fields_.get(name), fields_.path(name)));
  }
  Napi::Float32Array floats(const char* name) const {
    return kept(to_borrowed_floats(fields_.get(name), fields_.path(name)));
  }
  Napi::Float64Array doubles(const char* name) const {
    return kept(to_borrowed_doubles(fields_.get(name), fields_.path(name)));
  }

 private:
  template <typename Array>
  Array kept(const Array& array) const {
    keep_.push_back(array);
    return array;
  }

  const Fields& fields_;
  std::vector<Napi::Value>& keep_;
};

// The rows, and the number of their values.
std::pair<SparseRows, int64_t> to_rows(Napi::Value value, const char* name, int64_t columns,
                                       std::vector<Napi::Value>& keep) {
  const Fields fields(value, name, {"indices", "values", "offsets"});
  const Arrays arrays(fields, keep);
  const Napi::Int32Array indices = arrays.integers("indices"), offsets = arrays.integers("offsets");
  const Napi::Float32Array values = arrays.floats("values");
  const auto count = static_cast<int64_t>(indices.ElementLength());
  check_length(values.ElementLength(), count, fields.path("values"));
  check(offsets.ElementLength() > 0, "ERR_INVALID_ARGUMENT", "Expected rows + 1 values for ", fields.path("offsets"),
        " but received 0");
  const auto rows = static_cast<int64_t>(offsets.ElementLength()) - 1;
  return {{rows, columns, offsets.Data(), indices.Data(), values.Data()}, count};
}

std::pair<Postings, int64_t> to_postings(Napi::Value value, int64_t columns, std::vector<Napi::Value>& keep) {
  const Fields fields(value, "postings", {"documents", "values", "offsets", "squares", "magnitudes"});
  const Arrays arrays(fields, keep);
  Napi::Int32Array documents = arrays.integers("documents"), offsets = arrays.integers("offsets");
  Napi::Float32Array values = arrays.floats("values");
  Napi::Float64Array squares = arrays.doubles("squares"), magnitudes = arrays.doubles("magnitudes");
  const auto rows = static_cast<int64_t>(squares.ElementLength());
  const auto count = static_cast<int64_t>(documents.ElementLength());
  check_length(values.ElementLength(), count, fields.path("values"));
  check_length(offsets.ElementLength(), columns + 1, fields.path("offsets"));
  check_length(magnitudes.ElementLength(), rows, fields.path("magnitudes"));
  return {{rows, columns, offsets.Data(), documents.Data(), values.Data(), squares.Data(), magnitudes.Data()}, count};
}

}  // namespace

Napi::Value invert_sparse(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    std::vector<Napi::Value> keep;
    const int64_t columns = to_integer(info[1], "dimension", 1);
    const auto [rows, count] = to_rows(info[0], "rows", columns, keep);
    const auto [postings, room] = to_postings(info[2], columns, keep);
    check_length(room, count, "postings.documents");
    check_length(postings.rows, rows.rows, "postings.squares");
    return Environment::of(info.Env()).enqueue(keep, [rows = rows, count = count, postings = postings] {
      check_sparse(rows, count, "the rows");
      invert(rows, postings);
    });
  });
}

Napi::Value search_sparse(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    std::vector<Napi::Value> keep;
    const int64_t columns = to_integer(info[1], "dimension", 1);
    const auto [queries, count] = to_rows(info[0], "queries", columns, keep);
    const auto [postings, values] = to_postings(info[2], columns, keep);
    const int64_t k = to_integer(info[3], "k", 1);
    const std::string metric = to_string(info[4], "metric");
    Napi::Float32Array scores = to_borrowed_floats(info[5], "scores");
    Napi::Int32Array indices = to_borrowed_integers(info[6], "indices");
    check(k <= postings.rows, "ERR_INVALID_ARGUMENT", "Expected k of at most ", postings.rows,
          " (the documents) but received ", k);
    const int64_t found = checked_product("queries × k", {queries.rows, k});
    check_length(scores.ElementLength(), found, "scores");
    check_length(indices.ElementLength(), found, "indices");
    keep.insert(keep.end(), {scores, indices});
    float* score_data = scores.Data();
    int32_t* index_data = indices.Data();
    return Environment::of(info.Env())
        .enqueue(keep, [queries = queries, count = count, postings = postings, values = values, k, metric, score_data,
                        index_data] {
          check_sparse(queries, count, "the queries");
          check_offsets(postings.offsets, postings.columns, values, "the postings");
          sparse_top_k(queries, postings, k, metric, score_data, index_data);
        });
  });
}

}  // namespace st::binding
