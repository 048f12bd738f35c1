#include "binding/convert.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "binding/fields.h"
#include "core/error.h"

namespace st::binding {
namespace {

constexpr double kMaxSafeInteger = 9007199254740991.0;
// Far deeper than any config.json. Ends the recursion for a cyclic object.
constexpr int kMaxDepth = 256;

const char* typed_array_name(napi_typedarray_type type) {
  // In the order of the enumeration.
  constexpr std::array kNames = {"Int8Array",    "Uint8Array",    "Uint8ClampedArray", "Int16Array",
                                 "Uint16Array",  "Int32Array",    "Uint32Array",       "Float32Array",
                                 "Float64Array", "BigInt64Array", "BigUint64Array"};
  const auto index = static_cast<size_t>(type);
  return index < kNames.size() ? kNames[index] : "typed array";
}

// The twin of `describe` in lib/errors.ts.
std::string describe(Napi::Value value) {
  if (value.IsString()) {
    const std::string text = value.As<Napi::String>().Utf8Value();
    return '"' + (text.size() > 60 ? text.substr(0, 57) + "..." : text) + '"';
  }
  if (value.IsArray()) return "an array of length " + std::to_string(value.As<Napi::Array>().Length());
  if (value.IsTypedArray()) {
    const auto array = value.As<Napi::TypedArray>();
    return std::string("a ") + typed_array_name(array.TypedArrayType()) + " of " + std::to_string(array.ByteLength()) +
           " bytes";
  }
  if (value.IsFunction()) return "a function";
  if (value.IsSymbol()) return "a symbol";
  if (value.IsObject()) return "an object";
  return value.ToString().Utf8Value();
}

bool is_typed_array(Napi::Value value, napi_typedarray_type type) {
  return value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == type;
}

Config to_value(Napi::Value value, const std::string& field, int depth) {
  check(depth < kMaxDepth, "ERR_INVALID_ARGUMENT", "Expected at most ", kMaxDepth, " levels in ", field);
  if (value.IsNull()) return Config();
  if (value.IsBoolean()) return Config(value.As<Napi::Boolean>().Value());
  if (value.IsString()) return Config(value.As<Napi::String>().Utf8Value());
  if (value.IsNumber()) {
    const double number = value.As<Napi::Number>().DoubleValue();
    if (!std::isfinite(number)) wrong_type(field, "a finite number", value);
    return Config(number);
  }
  if (value.IsArray()) {
    const auto array = value.As<Napi::Array>();
    Config::Array items;
    for (uint32_t i = 0; i < array.Length(); ++i) {
      items.push_back(to_value(array.Get(i), field + "[" + std::to_string(i) + "]", depth + 1));
    }
    return Config(std::move(items));
  }
  const bool plain = value.IsObject() && !value.IsFunction() && !value.IsTypedArray() && !value.IsArrayBuffer() &&
                     !value.IsDataView() && !value.IsDate() && !value.IsPromise();
  if (!plain) wrong_type(field, "a JSON value", value);
  const auto object = value.As<Napi::Object>();
  Config::Object members;
  for (const std::string& name : own_names(object)) {
    const Napi::Value member = object.Get(name);
    if (member.IsUndefined()) continue;
    members.emplace(name, to_value(member, field + "." + name, depth + 1));
  }
  return Config(std::move(members));
}

template <typename T>
std::vector<T> copy(const Napi::TypedArrayOf<T>& array) {
  if (array.ElementLength() == 0) return {};
  return std::vector<T>(array.Data(), array.Data() + array.ElementLength());
}

// Throws for an array over a SharedArrayBuffer, over a resizable ArrayBuffer, or over one that was transferred.
void check_borrowed(const Napi::TypedArray& array, const std::string& field) {
  const Napi::Env env = array.Env();
  napi_value buffer = nullptr;
  bool is_array_buffer = false, is_detached = false;
  const bool known = napi_get_typedarray_info(env, array, nullptr, nullptr, nullptr, &buffer, nullptr) == napi_ok &&
                     napi_is_arraybuffer(env, buffer, &is_array_buffer) == napi_ok &&
                     (!is_array_buffer || napi_is_detached_arraybuffer(env, buffer, &is_detached) == napi_ok);
  if (!known) throw Napi::Error::New(env);
  const char* found = nullptr;
  if (!is_array_buffer) {
    found = "shared memory (a SharedArrayBuffer)";
  } else if (is_detached) {
    found = "an ArrayBuffer that was transferred";
  } else if (Napi::Object(env, buffer).Get("resizable").ToBoolean()) {
    found = "a resizable ArrayBuffer";
  }
  check(found == nullptr, "ERR_INVALID_ARGUMENT", "Expected an ArrayBuffer of fixed size for ", field, " but received ",
        found != nullptr ? found : "");
}

constexpr uint32_t kMostDimensions = 8;

std::vector<int64_t> to_shape(Napi::Value value, const std::string& field) {
  if (!value.IsArray()) wrong_type(field, "an array of whole numbers", value);
  const auto array = value.As<Napi::Array>();
  if (array.Length() > kMostDimensions) {
    wrong_type(field, "at most " + std::to_string(kMostDimensions) + " whole numbers", value);
  }
  std::vector<int64_t> shape;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    shape.push_back(to_integer(array.Get(i), field + "[" + std::to_string(i) + "]", 0));
  }
  return shape;
}

void read_labels(const Fields& fields, PackedBatch& batch) {
  const Napi::Value labels = fields.get("labels");
  if (labels.IsUndefined()) {
    check(!fields.has("labelShape"), "ERR_INVALID_ARGUMENT", "Expected batch.labels beside batch.labelShape");
    return;
  }
  if (is_typed_array(labels, napi_float32_array)) {
    batch.labels = copy(labels.As<Napi::Float32Array>());
  } else if (is_typed_array(labels, napi_int32_array)) {
    batch.labels = copy(labels.As<Napi::Int32Array>());
  } else {
    wrong_type("batch.labels", "a Float32Array or an Int32Array", labels);
  }
  const auto count = static_cast<int64_t>(labels.As<Napi::TypedArray>().ElementLength());
  const Napi::Value shape = fields.get("labelShape");
  batch.label_shape = shape.IsUndefined() ? std::vector<int64_t>{count} : to_shape(shape, "batch.labelShape");
  // A division, because a product of absurd sizes could overflow to the right value.
  int64_t rest = count;
  bool fits = !batch.label_shape.empty();
  for (int64_t size : batch.label_shape) {
    fits = fits && size > 0 && rest % size == 0;
    if (fits) rest /= size;
  }
  check((fits && rest == 1) || (count == 0 && batch.label_shape == std::vector<int64_t>{0}), "ERR_INVALID_ARGUMENT",
        "Expected batch.labelShape to hold the ", count, " values of batch.labels");
}

}  // namespace

void wrong_type(const std::string& field, const std::string& expected, Napi::Value found) {
  fail("ERR_INVALID_ARGUMENT", "Expected ", expected, " for ", field, " but received ", describe(found));
}

Config to_config(Napi::Value value, const std::string& field) {
  return to_value(value, field, 0);
}

Config to_options(Napi::Value value, const std::string& field) {
  if (!value.IsObject() || value.IsArray()) wrong_type(field, "an object", value);
  return to_config(value, field);
}

int64_t to_integer(Napi::Value value, const std::string& field, int64_t least) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : std::nan("");
  const bool fits = number == std::floor(number) && number >= static_cast<double>(least) && number <= kMaxSafeInteger;
  if (!fits) wrong_type(field, "a whole number of at least " + std::to_string(least), value);
  return static_cast<int64_t>(number);
}

std::vector<int64_t> to_numbers(Napi::Value value, const std::string& field) {
  if (!value.IsArray()) wrong_type(field, "an array of whole numbers", value);
  const auto array = value.As<Napi::Array>();
  std::vector<int64_t> numbers;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    numbers.push_back(to_integer(array.Get(i), field + "[" + std::to_string(i) + "]", 0));
  }
  return numbers;
}

std::string to_string(Napi::Value value, const std::string& field) {
  if (!value.IsString()) wrong_type(field, "a string", value);
  return value.As<Napi::String>().Utf8Value();
}

std::vector<std::string> to_strings(Napi::Value value, const std::string& field) {
  if (!value.IsArray()) wrong_type(field, "an array of strings", value);
  const auto array = value.As<Napi::Array>();
  std::vector<std::string> out;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    out.push_back(to_string(array.Get(i), field + "[" + std::to_string(i) + "]"));
  }
  return out;
}

Napi::Float32Array to_floats(Napi::Value value, const std::string& field) {
  if (!is_typed_array(value, napi_float32_array)) wrong_type(field, "a Float32Array", value);
  return value.As<Napi::Float32Array>();
}

Napi::Int32Array to_integers(Napi::Value value, const std::string& field) {
  if (!is_typed_array(value, napi_int32_array)) wrong_type(field, "an Int32Array", value);
  return value.As<Napi::Int32Array>();
}

Napi::Float32Array to_borrowed_floats(Napi::Value value, const std::string& field) {
  const Napi::Float32Array array = to_floats(value, field);
  check_borrowed(array, field);
  return array;
}

Napi::Int32Array to_borrowed_integers(Napi::Value value, const std::string& field) {
  const Napi::Int32Array array = to_integers(value, field);
  check_borrowed(array, field);
  return array;
}

Napi::Uint8Array to_borrowed_bytes(Napi::Value value, const std::string& field) {
  if (!is_typed_array(value, napi_uint8_array)) wrong_type(field, "a Uint8Array", value);
  const auto array = value.As<Napi::Uint8Array>();
  check_borrowed(array, field);
  return array;
}

Napi::Float64Array to_borrowed_doubles(Napi::Value value, const std::string& field) {
  if (!is_typed_array(value, napi_float64_array)) wrong_type(field, "a Float64Array", value);
  const auto array = value.As<Napi::Float64Array>();
  check_borrowed(array, field);
  return array;
}

RoutedBatch to_batch(Napi::Value value) {
  const Fields fields(value, "batch",
                      {"ids", "offsets", "tokenTypes", "promptLengths", "attended", "queries", "columns", "labels",
                       "labelShape", "lists", "guide", "guideDimension", "textIds", "targets", "routes", "activeDims"});
  RoutedBatch batch;
  batch.ids = copy(to_integers(fields.get("ids"), "batch.ids"));
  batch.offsets = copy(to_integers(fields.get("offsets"), "batch.offsets"));
  if (fields.has("tokenTypes")) batch.token_types = copy(to_integers(fields.get("tokenTypes"), "batch.tokenTypes"));
  if (fields.has("promptLengths")) {
    batch.prompt_lengths = copy(to_integers(fields.get("promptLengths"), "batch.promptLengths"));
  }
  if (fields.has("attended")) batch.attended = copy(to_integers(fields.get("attended"), "batch.attended"));
  if (fields.has("queries")) batch.queries = copy(to_integers(fields.get("queries"), "batch.queries"));
  batch.columns = to_integer(fields.get("columns"), "batch.columns", 1);
  read_labels(fields, batch);
  if (fields.has("lists")) batch.lists = copy(to_integers(fields.get("lists"), "batch.lists"));
  if (fields.has("guide")) {
    batch.guide = copy(to_floats(fields.get("guide"), "batch.guide"));
    batch.guide_width = to_integer(fields.get("guideDimension"), "batch.guideDimension", 1);
  }
  if (fields.has("activeDims")) batch.active_dims = to_integer(fields.get("activeDims"), "batch.activeDims", 1);
  if (fields.has("routes")) batch.routes = copy(to_integers(fields.get("routes"), "batch.routes"));
  if (fields.has("textIds")) batch.text_ids = copy(to_integers(fields.get("textIds"), "batch.textIds"));
  if (fields.has("targets")) {
    const Fields targets(fields.get("targets"), "batch.targets", {"ids", "offsets"});
    batch.target_ids = copy(to_integers(targets.get("ids"), "batch.targets.ids"));
    batch.target_offsets = copy(to_integers(targets.get("offsets"), "batch.targets.offsets"));
  }
  return batch;
}

std::vector<TensorRange> to_ranges(Napi::Value value, std::vector<Napi::Value>& keep) {
  if (!value.IsArray()) wrong_type("ranges", "an array of tensor ranges", value);
  const auto array = value.As<Napi::Array>();
  std::vector<TensorRange> ranges;
  ranges.reserve(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Fields fields(array.Get(i), "ranges[" + std::to_string(i) + "]", {"name", "start", "dtype", "data"});
    const Napi::Value data = fields.get("data");
    if (!is_typed_array(data, napi_uint8_array)) wrong_type(fields.path("data"), "a Uint8Array", data);
    auto bytes = data.As<Napi::Uint8Array>();
    check_borrowed(bytes, fields.path("data"));
    ranges.push_back({fields.string("name"), to_integer(fields.get("start"), fields.path("start"), 0),
                      fields.string("dtype"), bytes.Data(), static_cast<int64_t>(bytes.ByteLength())});
    keep.push_back(data);
  }
  return ranges;
}

EncoderOutput to_encoder_output(Napi::Value value) {
  if (value.IsUndefined()) return EncoderOutput::kSentenceEmbedding;
  constexpr const char* kExpected = "sentence_embedding, token_embeddings or pooler_output";
  if (!value.IsString()) wrong_type("output", kExpected, value);
  const std::string name = value.As<Napi::String>().Utf8Value();
  if (name == "sentence_embedding") return EncoderOutput::kSentenceEmbedding;
  if (name == "token_embeddings") return EncoderOutput::kTokenEmbeddings;
  if (name == "pooler_output") return EncoderOutput::kPoolerOutput;
  if (name == "hidden_states") return EncoderOutput::kHiddenStates;
  wrong_type("output", kExpected, value);
}

JobKind to_encode_kind(Napi::Value value) {
  JobKind kind;
  if (value.IsUndefined()) return kind;
  const Fields given(value, "options", {"lane", "ticket"});
  if (given.has("lane")) {
    const std::string lane = given.string("lane");
    check(lane == "query" || lane == "bulk", "ERR_INVALID_ARGUMENT",
          "Expected query or bulk for options.lane but received ", lane);
    if (lane == "query") kind.lane = Lane::kQuery;
  }
  if (given.has("ticket")) kind.ticket = static_cast<uint64_t>(to_integer(given.get("ticket"), "options.ticket", 1));
  return kind;
}

namespace {

// What each network of an encoder has of its own.
void read_network(const Fields& fields, EncoderSpec& spec) {
  spec.architecture = fields.string("architecture");
  spec.config = to_options(fields.get("config"), fields.path("config"));
  const Napi::Value modules = fields.get("modules");
  if (!modules.IsArray()) wrong_type(fields.path("modules"), "an array of modules", modules);
  const auto array = modules.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    spec.modules.push_back(to_options(array.Get(i), fields.path("modules") + "[" + std::to_string(i) + "]"));
  }
  spec.pooler = fields.boolean("pooler");
  spec.own_head = fields.boolean("ownHead", false);
  if (!fields.has("routes")) return;
  const Napi::Value routes = fields.get("routes");
  if (!routes.IsArray()) wrong_type(fields.path("routes"), "an array of arrays of whole numbers", routes);
  const auto ways = routes.As<Napi::Array>();
  for (uint32_t i = 0; i < ways.Length(); ++i) spec.routes.push_back(to_numbers(ways.Get(i), fields.path("routes")));
}

}  // namespace

EncoderSpec to_encoder_spec(Napi::Value value) {
  const Fields fields(
      value, "spec",
      {"architecture", "config", "modules", "pooler", "routes", "others", "decoder", "ownHead", "device", "dtype"});
  EncoderSpec spec;
  read_network(fields, spec);
  if (fields.has("others")) {
    const Napi::Value others = fields.get("others");
    if (!others.IsArray()) wrong_type("spec.others", "an array of networks", others);
    const auto array = others.As<Napi::Array>();
    for (uint32_t i = 0; i < array.Length(); ++i) {
      const Fields other(array.Get(i), "spec.others[" + std::to_string(i) + "]",
                         {"architecture", "config", "modules", "pooler", "ownHead", "routes"});
      read_network(other, spec.others.emplace_back());
    }
  }
  spec.decoder = fields.boolean("decoder", false);
  spec.device = fields.string("device");
  spec.dtype = fields.string("dtype");
  return spec;
}

AdapterSpec to_adapter_spec(Napi::Value value) {
  const Fields fields(value, "adapter", {"name", "dropout", "rankStabilized", "targets"});
  AdapterSpec spec{fields.string("name"), fields.number("dropout"), fields.boolean("rankStabilized"), {}};
  const Napi::Value targets = fields.get("targets");
  if (!targets.IsArray()) wrong_type("adapter.targets", "an array of targets", targets);
  const auto array = targets.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Fields target(array.Get(i), "adapter.targets[" + std::to_string(i) + "]", {"name", "rank", "alpha"});
    spec.targets.push_back(
        {target.string("name"), to_integer(target.get("rank"), target.path("rank"), 1), target.number("alpha")});
  }
  return spec;
}

Napi::Array from_tensors(Napi::Env env, const std::vector<TensorInfo>& tensors) {
  constexpr std::array kGroups = {"decay", "no_decay", "frozen", "frozen"};
  auto array = Napi::Array::New(env, tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TensorInfo& tensor = tensors[i];
    auto shape = Napi::Array::New(env, tensor.shape.size());
    for (size_t d = 0; d < tensor.shape.size(); ++d)
      shape[static_cast<uint32_t>(d)] = static_cast<double>(tensor.shape[d]);
    auto info = Napi::Object::New(env);
    info["name"] = tensor.name;
    info["shape"] = shape;
    info["group"] = kGroups[static_cast<size_t>(tensor.group)];
    if (!tensor.block.empty()) info["block"] = tensor.block;
    if (tensor.linear) info["linear"] = true;
    array[static_cast<uint32_t>(i)] = info;
  }
  return array;
}

}  // namespace st::binding
