#include "binding/encoder_wrap.h"

#include <limits>
#include <utility>
#include <vector>

#include "binding/convert.h"
#include "binding/environment.h"
#include "binding/file_ranges.h"
#include "binding/graph.h"
#include "core/error.h"

namespace st::binding {
namespace {

// Marks the objects of the constructor. A prototype can be borrowed, a tag cannot.
constexpr napi_type_tag kTag = {0x9d1c0a54f3b24e67, 0xa5e0c8d27b614f93};

bool to_flag(Napi::Value value, const char* field, bool fallback) {
  if (value.IsUndefined()) return fallback;
  if (!value.IsBoolean()) wrong_type(field, "true or false", value);
  return value.As<Napi::Boolean>().Value();
}

}  // namespace

Napi::Function EncoderWrap::define(Napi::Env env) {
  return DefineClass(env, "Encoder",
                     {
                         InstanceAccessor<&EncoderWrap::embedding_dimension>("embeddingDimension"),
                         InstanceAccessor<&EncoderWrap::token_dimension>("tokenDimension"),
                         InstanceAccessor<&EncoderWrap::training_bytes>("trainingBytesPerToken"),
                         InstanceMethod<&EncoderWrap::tensors>("tensors"),
                         InstanceMethod<&EncoderWrap::graph>("graph"),
                         InstanceMethod<&EncoderWrap::add_adapter>("addAdapter"),
                         InstanceMethod<&EncoderWrap::set_adapter>("setAdapter"),
                         InstanceMethod<&EncoderWrap::delete_adapter>("deleteAdapter"),
                         InstanceMethod<&EncoderWrap::merge_adapter>("mergeAdapter"),
                         InstanceMethod<&EncoderWrap::adapter_tensors>("adapterTensors"),
                         InstanceMethod<&EncoderWrap::load>("load"),
                         InstanceMethod<&EncoderWrap::load_file>("loadFile"),
                         InstanceMethod<&EncoderWrap::dump>("dump"),
                         InstanceMethod<&EncoderWrap::initialize>("initialize"),
                         InstanceMethod<&EncoderWrap::encode>("encode"),
                         InstanceMethod<&EncoderWrap::encode_vectors>("encodeVectors"),
                         InstanceMethod<&EncoderWrap::drop>("drop"),
                         InstanceMethod<&EncoderWrap::dispose>("dispose"),
                     });
}

std::shared_ptr<Encoder> EncoderWrap::unwrap(Napi::Value value, const std::string& field) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTag)) wrong_type(field, "an Encoder", value);
  return Unwrap(value.As<Napi::Object>())->open();
}

EncoderWrap::EncoderWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<EncoderWrap>(info) {
  throwing(info.Env(), [&] {
    encoder_ = std::make_shared<Encoder>(to_encoder_spec(info[0]));
    embedding_dimension_ = encoder_->embedding_dimension();
    token_dimension_ = encoder_->token_dimension();
    training_bytes_ = encoder_->training_bytes_per_token();
  });
  info.This().As<Napi::Object>().TypeTag(&kTag);
}

EncoderWrap::~EncoderWrap() {
  if (encoder_) Executor::instance().release(std::move(encoder_));
}

const std::shared_ptr<Encoder>& EncoderWrap::open() const {
  check(!disposed_, "ERR_DISPOSED", "The encoder was disposed of");
  return encoder_;
}

JobKind EncoderWrap::changing() const {
  return {.engine = encoder_.get()};
}

JobKind EncoderWrap::reading() const {
  return {.engine = encoder_.get(), .reads = true};
}

Napi::Value EncoderWrap::embedding_dimension(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(embedding_dimension_));
}

Napi::Value EncoderWrap::token_dimension(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(token_dimension_));
}

Napi::Value EncoderWrap::training_bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(training_bytes_));
}

Napi::Value EncoderWrap::tensors(const Napi::CallbackInfo& info) {
  return throwing(info.Env(), [&]() -> Napi::Value { return from_tensors(info.Env(), open()->tensors()); });
}

Napi::Value EncoderWrap::graph(const Napi::CallbackInfo& info) {
  return throwing(info.Env(), [&]() -> Napi::Value { return from_graph(info.Env(), open()->graph()); });
}

Napi::Value EncoderWrap::adapter_tensors(const Napi::CallbackInfo& info) {
  return throwing(info.Env(), [&]() -> Napi::Value {
    return from_tensors(info.Env(), open()->adapter_tensors(to_string(info[0], "name")));
  });
}

Napi::Value EncoderWrap::add_adapter(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    auto spec = to_adapter_spec(info[0]);
    const auto seed = static_cast<uint64_t>(to_integer(info[1], "seed", 0));
    return Environment::of(info.Env()).enqueue(changing(), {}, [encoder = open(), spec = std::move(spec), seed] {
      encoder->add_adapter(spec, seed);
    });
  });
}

Napi::Value EncoderWrap::of_adapter(const Napi::CallbackInfo& info, void (Encoder::*job)(const std::string& name)) {
  return rejecting(info.Env(), [&] {
    auto name = to_string(info[0], "name");
    return Environment::of(info.Env()).enqueue(changing(), {}, [encoder = open(), name = std::move(name), job] {
      (*encoder.*job)(name);
    });
  });
}

Napi::Value EncoderWrap::set_adapter(const Napi::CallbackInfo& info) {
  return of_adapter(info, &Encoder::set_adapter);
}

Napi::Value EncoderWrap::delete_adapter(const Napi::CallbackInfo& info) {
  return of_adapter(info, &Encoder::delete_adapter);
}

Napi::Value EncoderWrap::merge_adapter(const Napi::CallbackInfo& info) {
  return of_adapter(info, &Encoder::merge_adapter);
}

Napi::Value EncoderWrap::load(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    std::vector<Napi::Value> keep;
    auto ranges = to_ranges(info[0], keep);
    const bool last = to_flag(info[1], "last", true);
    return Environment::of(info.Env()).enqueue(changing(), keep, [encoder = open(), ranges = std::move(ranges), last] {
      encoder->load(ranges, last);
    });
  });
}

Napi::Value EncoderWrap::load_file(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    const int64_t file = to_integer(info[0], "file", 0);
    check(file <= std::numeric_limits<int>::max(), "ERR_INVALID_ARGUMENT",
          "Expected an open file for file but received ", file);
    auto ranges = to_file_ranges(info[1]);
    const bool last = to_flag(info[2], "last", true);
    return Environment::of(info.Env())
        .enqueue(changing(), {}, [encoder = open(), file, ranges = std::move(ranges), last] {
          load_from_file(*encoder, static_cast<int>(file), ranges, last);
        });
  });
}

Napi::Value EncoderWrap::dump(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    std::vector<Napi::Value> keep;
    auto ranges = to_ranges(info[0], keep);
    const bool merged = to_flag(info[1], "merged", false);
    return Environment::of(info.Env()).enqueue(reading(), keep, [encoder = open(), ranges = std::move(ranges), merged] {
      encoder->dump(ranges, merged);
    });
  });
}

Napi::Value EncoderWrap::initialize(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    auto names = to_strings(info[0], "names");
    const auto seed = static_cast<uint64_t>(to_integer(info[1], "seed", 0));
    return Environment::of(info.Env()).enqueue(changing(), {}, [encoder = open(), names = std::move(names), seed] {
      encoder->initialize(names, seed);
    });
  });
}

Napi::Value EncoderWrap::encode(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    auto batch = to_batch(info[0]);
    Napi::Float32Array out = to_borrowed_floats(info[1], "out");
    const EncoderOutput output = to_encoder_output(info[2]);
    JobKind kind = to_encode_kind(info[3]);
    kind.engine = encoder_.get();
    kind.reads = kind.yields = true;
    float* data = out.Data();
    const auto size = static_cast<int64_t>(out.ElementLength());
    return Environment::of(info.Env())
        .enqueue(kind, {out}, [encoder = open(), batch = std::move(batch), output, data, size] {
          encoder->encode(batch, output, data, size);
        });
  });
}

Napi::Value EncoderWrap::encode_vectors(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    auto batch = to_batch(info[0]);
    Napi::Float32Array out = to_borrowed_floats(info[1], "out");
    Napi::Int32Array counts = to_borrowed_integers(info[2], "counts");
    JobKind kind = to_encode_kind(info[3]);
    kind.engine = encoder_.get();
    kind.reads = kind.yields = true;
    float* data = out.Data();
    int32_t* count_data = counts.Data();
    const auto size = static_cast<int64_t>(out.ElementLength()), rows = static_cast<int64_t>(counts.ElementLength());
    return Environment::of(info.Env())
        .enqueue(kind, {out, counts}, [encoder = open(), batch = std::move(batch), data, size, count_data, rows] {
          encoder->encode_vectors(batch, data, size, count_data, rows);
        });
  });
}

Napi::Value EncoderWrap::drop(const Napi::CallbackInfo& info) {
  return throwing(info.Env(), [&]() -> Napi::Value {
    const auto ticket = static_cast<uint64_t>(to_integer(info[0], "ticket", 1));
    return Napi::Boolean::New(info.Env(), Environment::of(info.Env()).drop(ticket));
  });
}

Napi::Value EncoderWrap::dispose(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    // A second call waits for the first, because jobs run in order.
    const bool again = std::exchange(disposed_, true);
    return Environment::of(info.Env()).enqueue(changing(), {}, [encoder = encoder_, again] {
      if (!again) encoder->dispose();
    });
  });
}

}  // namespace st::binding
