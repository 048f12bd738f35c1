#include "binding/code_search.h"

#include "binding/convert.h"
#include "binding/environment.h"
#include "core/error.h"
#include "core/sizes.h"
#include "engine/code_search.h"

namespace st::binding {

namespace {

int64_t rows_of(size_t length, int64_t width, const char* name) {
  const auto size = static_cast<int64_t>(length);
  check(size % width == 0, "ERR_INVALID_ARGUMENT", "Expected a multiple of ", width, " values for ", name,
        " but received ", size);
  return size / width;
}

void check_k(int64_t k, int64_t queries, int64_t rows, size_t found) {
  check(k <= rows, "ERR_INVALID_ARGUMENT", "Expected k of at most ", rows, " (the rows of codes) but received ", k);
  const int64_t expected = checked_product("queries × k", {queries, k});
  check(static_cast<int64_t>(found) == expected, "ERR_INVALID_ARGUMENT", "Expected queries × k = ", expected,
        " values for indices but received ", found);
}

}  // namespace

Napi::Value search_bits(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    const Napi::Uint8Array queries = to_borrowed_bytes(info[0], "queries");
    const Napi::Uint8Array codes = to_borrowed_bytes(info[1], "codes");
    const int64_t width = to_integer(info[2], "width", 1);
    const int64_t k = to_integer(info[3], "k", 1);
    Napi::Int32Array indices = to_borrowed_integers(info[4], "indices");
    const int64_t asked = rows_of(queries.ElementLength(), width, "queries");
    const int64_t count = rows_of(codes.ElementLength(), width, "codes");
    check_k(k, asked, count, indices.ElementLength());
    const uint8_t *query_data = queries.Data(), *code_data = codes.Data();
    for (const uint8_t* data : {query_data, code_data}) {
      check(reinterpret_cast<uintptr_t>(data) % 8 == 0, "ERR_INVALID_ARGUMENT",
            "Expected queries and codes at a multiple of 8 bytes");
    }
    int32_t* out = indices.Data();
    return Environment::of(info.Env()).enqueue({queries, codes, indices}, [=] {
      nearest_bits(query_data, asked, code_data, count, width, k, out);
    });
  });
}

Napi::Value search_bytes(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    const Napi::Float32Array queries = to_borrowed_floats(info[0], "queries");
    const Napi::Uint8Array codes = to_borrowed_bytes(info[1], "codes");
    const Napi::Float32Array factors = to_borrowed_floats(info[2], "factors");
    const int64_t dim = to_integer(info[3], "dim", 1);
    const int64_t k = to_integer(info[4], "k", 1);
    Napi::Int32Array indices = to_borrowed_integers(info[5], "indices");
    const int64_t asked = rows_of(queries.ElementLength(), dim, "queries");
    const int64_t count = rows_of(codes.ElementLength(), dim, "codes");
    check(static_cast<int64_t>(factors.ElementLength()) == count, "ERR_INVALID_ARGUMENT", "Expected ", count,
          " factors but received ", factors.ElementLength());
    check_k(k, asked, count, indices.ElementLength());
    const float *query_data = queries.Data(), *factor_data = factors.Data();
    const auto* code_data = reinterpret_cast<const int8_t*>(codes.Data());
    int32_t* out = indices.Data();
    return Environment::of(info.Env()).enqueue({queries, codes, factors, indices}, [=] {
      nearest_bytes(query_data, asked, code_data, factor_data, count, dim, k, out);
    });
  });
}

}  // namespace st::binding
