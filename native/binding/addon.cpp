#include <napi.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "binding/code_search.h"
#include "binding/collective_wrap.h"
#include "binding/convert.h"
#include "binding/describe.h"
#include "binding/encoder_wrap.h"
#include "binding/environment.h"
#include "binding/generation_wrap.h"
#include "binding/measure.h"
#include "binding/sparse_search.h"
#include "binding/tensors_wrap.h"
#include "binding/trainer_wrap.h"
#include "binding/vector_scores.h"
#include "core/error.h"
#include "core/features.h"
#include "core/sizes.h"
#include "engine/runtime.h"
#include "engine/search.h"

namespace st::binding {
namespace {

// More than any machine has. A typing error should not start a million threads.
constexpr int64_t kMaxThreads = 4096;

Napi::Array from_strings(Napi::Env env, const std::vector<std::string>& strings) {
  auto array = Napi::Array::New(env, strings.size());
  for (size_t i = 0; i < strings.size(); ++i) array[static_cast<uint32_t>(i)] = strings[i];
  return array;
}

Napi::Value runtime(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return throwing(env, [&]() -> Napi::Value {
    const RuntimeInfo runtime = runtime_info();
    auto devices = Napi::Array::New(env, runtime.devices.size());
    for (size_t i = 0; i < runtime.devices.size(); ++i) {
      auto device = Napi::Object::New(env);
      device["name"] = runtime.devices[i].first;
      device["description"] = runtime.devices[i].second;
      devices[static_cast<uint32_t>(i)] = device;
    }
    auto object = Napi::Object::New(env);
    object["addonVersion"] = ST_VERSION;
    object["libtorchVersion"] = runtime.libtorch_version;
    object["cuda"] = runtime.cuda.empty() ? env.Null() : Napi::Value(Napi::String::New(env, runtime.cuda));
    object["devices"] = devices;
    object["fastDTypes"] = from_strings(env, runtime.fast_dtypes);
    object["cpuFeatures"] = from_strings(env, runtime.cpu_features);
    object["cpuKernels"] = runtime.cpu_kernels;
    object["threads"] = Executor::instance().threads();
    return object;
  });
}

void set_executor_threads(const Napi::CallbackInfo& info) {
  throwing(info.Env(), [&] {
    const int64_t threads = to_integer(info[0], "threads", 1);
    check(threads <= kMaxThreads, "ERR_INVALID_ARGUMENT", "Expected at most ", kMaxThreads, " threads but received ",
          threads);
    Executor::instance().set_threads(static_cast<int>(threads));
  });
}

Napi::Value search(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    const Napi::Float32Array queries = to_borrowed_floats(info[0], "queries");
    const Napi::Float32Array corpus = to_borrowed_floats(info[1], "corpus");
    const int64_t dim = to_integer(info[2], "dim", 1);
    const int64_t k = to_integer(info[3], "k", 1);
    const std::string metric = to_string(info[4], "metric");
    Napi::Float32Array scores = to_borrowed_floats(info[5], "scores");
    Napi::Int32Array indices = to_borrowed_integers(info[6], "indices");

    const auto rows = [dim](const Napi::Float32Array& matrix, const char* name) {
      const auto size = static_cast<int64_t>(matrix.ElementLength());
      check(size % dim == 0, "ERR_INVALID_ARGUMENT", "Expected a multiple of dim = ", dim, " values for ", name,
            " but received ", size);
      return size / dim;
    };
    const int64_t query_count = rows(queries, "queries");
    const int64_t corpus_count = rows(corpus, "corpus");
    check(k <= corpus_count, "ERR_INVALID_ARGUMENT", "Expected k of at most ", corpus_count,
          " (the rows of corpus) but received ", k);
    const int64_t found = checked_product("queries × k", {query_count, k});
    const auto fits = [found](size_t size, const char* name) {
      check(static_cast<int64_t>(size) == found, "ERR_INVALID_ARGUMENT", "Expected queries × k = ", found,
            " values for ", name, " but received ", size);
    };
    fits(scores.ElementLength(), "scores");
    fits(indices.ElementLength(), "indices");

    const float* query_data = queries.Data();
    const float* corpus_data = corpus.Data();
    float* score_data = scores.Data();
    int32_t* index_data = indices.Data();
    return Environment::of(info.Env()).enqueue({queries, corpus, scores, indices}, [=] {
      top_k(query_data, query_count, corpus_data, corpus_count, dim, k, metric, score_data, index_data);
    });
  });
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Environment(env));
  exports["runtime"] = Napi::Function::New(env, runtime, "runtime");
  exports["setThreads"] = Napi::Function::New(env, set_executor_threads, "setThreads");
  exports["describe"] = Napi::Function::New(env, describe_model, "describe");
  exports["topK"] = Napi::Function::New(env, search, "topK");
  exports["nearestBits"] = Napi::Function::New(env, search_bits, "nearestBits");
  exports["nearestBytes"] = Napi::Function::New(env, search_bytes, "nearestBytes");
  exports["maxSim"] = Napi::Function::New(env, score_vectors, "maxSim");
  exports["poolTokens"] = Napi::Function::New(env, pool_vectors, "poolTokens");
  exports["invertSparse"] = Napi::Function::New(env, invert_sparse, "invertSparse");
  exports["sparseTopK"] = Napi::Function::New(env, search_sparse, "sparseTopK");
  exports["profileStart"] = Napi::Function::New(env, start_profile, "profileStart");
  exports["profileStop"] = Napi::Function::New(env, stop_profile, "profileStop");
  exports["measureMachine"] = Napi::Function::New(env, measure, "measureMachine");
  exports["Encoder"] = EncoderWrap::define(env);
  exports["Trainer"] = TrainerWrap::define(env);
  exports["Collective"] = CollectiveWrap::define(env);
  exports["Tensors"] = TensorsWrap::define(env);
  exports["Generation"] = GenerationWrap::define(env);
  return exports;
}

}  // namespace
}  // namespace st::binding

static Napi::Object init_addon(Napi::Env env, Napi::Object exports) {
  return st::binding::init(env, exports);
}

NODE_API_MODULE(sentence_torch, init_addon)
