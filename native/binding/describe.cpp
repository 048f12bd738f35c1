// A model's description as a JavaScript object.
#include "binding/describe.h"

#include <optional>
#include <string>
#include <vector>

#include "binding/convert.h"
#include "binding/environment.h"
#include "models/architecture.h"

namespace st::binding {
namespace {

Napi::Array from_texts(Napi::Env env, const std::vector<std::string>& texts) {
  auto array = Napi::Array::New(env, texts.size());
  for (size_t i = 0; i < texts.size(); ++i) array[static_cast<uint32_t>(i)] = texts[i];
  return array;
}

Napi::Object from_names(Napi::Env env, const CheckpointNames& names) {
  auto renames = Napi::Array::New(env, names.renames.size());
  for (size_t i = 0; i < names.renames.size(); ++i) {
    auto rename = Napi::Object::New(env);
    rename["from"] = names.renames[i].from;
    rename["to"] = names.renames[i].to;
    renames[static_cast<uint32_t>(i)] = rename;
  }
  auto object = Napi::Object::New(env);
  object["prefixes"] = from_texts(env, names.prefixes);
  object["renames"] = renames;
  object["preferred"] = from_texts(env, names.preferred);
  object["leftOut"] = from_texts(env, names.left_out);
  object["heads"] = from_texts(env, names.heads);
  object["layer"] = names.layer;
  object["pooler"] = from_texts(env, names.pooler);
  return object;
}

Napi::Object from_language_model(Napi::Env env, const LanguageModelSpec& model) {
  const auto& [dense, norm, last, bias] = model.layers;
  auto object = Napi::Object::New(env);
  object["className"] = model.class_name;
  object["prefix"] = model.prefix;
  object["tensors"] = from_tensors(env, tensors_of(model));
  object["matrix"] = last + ".weight";
  object["table"] = model.table;
  object["bias"] = env.Null();
  if (!bias.empty()) {
    auto names = Napi::Object::New(env);
    names["name"] = bias;
    names["second"] = bias == last + ".bias" ? env.Null() : Napi::Value(Napi::String::New(env, last + ".bias"));
    object["bias"] = names;
  }
  return object;
}

Napi::Object from_classifier(Napi::Env env, const ClassifierNames& classifier) {
  auto tensors = Napi::Array::New(env, classifier.tensors.size());
  for (size_t i = 0; i < classifier.tensors.size(); ++i) {
    const NewTensor& tensor = classifier.tensors[i];
    auto object = Napi::Object::New(env);
    object["name"] = tensor.name;
    object["outside"] = tensor.outside;
    tensors[static_cast<uint32_t>(i)] = object;
  }
  auto object = Napi::Object::New(env);
  object["className"] = classifier.class_name;
  object["prefix"] = classifier.prefix;
  object["tensors"] = tensors;
  return object;
}

Napi::Value from_token(Napi::Env env, const std::optional<int64_t>& token) {
  return token ? Napi::Value(Napi::Number::New(env, static_cast<double>(*token))) : env.Null();
}

Napi::Object from_generator(Napi::Env env, const GeneratorSpec& generator) {
  auto ends = Napi::Array::New(env, generator.ends.size());
  for (size_t i = 0; i < generator.ends.size(); ++i)
    ends[static_cast<uint32_t>(i)] = static_cast<double>(generator.ends[i]);
  auto object = Napi::Object::New(env);
  object["className"] = generator.class_name;
  object["layers"] = static_cast<double>(generator.layers);
  object["layersKey"] = generator.layers_key;
  object["layer"] = generator.layer;
  object["leftOut"] = from_texts(env, generator.left_out);
  object["head"] = generator.head;
  object["table"] = generator.table;
  object["copies"] = from_texts(env, generator.copies);
  object["decoderStart"] = from_token(env, generator.start);
  object["padding"] = from_token(env, generator.padding);
  object["ends"] = ends;
  return object;
}

Napi::Object from_causal(Napi::Env env, const CausalSpec& causal) {
  auto object = Napi::Object::New(env);
  object["className"] = causal.class_name;
  object["prefix"] = causal.prefix;
  object["leftOut"] = from_texts(env, causal.left_out);
  object["head"] = causal.head;
  object["table"] = causal.table;
  object["tied"] = Napi::Boolean::New(env, causal.tied);
  return object;
}

}  // namespace

Napi::Value describe_model(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return throwing(env, [&]() -> Napi::Value {
    const Description found = describe(to_string(info[0], "architecture"), to_options(info[1], "config"));
    auto object = Napi::Object::New(env);
    object["width"] = static_cast<double>(found.width);
    object["positions"] =
        found.positions ? Napi::Value(Napi::Number::New(env, static_cast<double>(*found.positions))) : env.Null();
    object["vocabulary"] = static_cast<double>(found.vocabulary);
    object["tokenTypes"] = static_cast<double>(found.token_types);
    object["layers"] = static_cast<double>(found.layers);
    object["layersKey"] = found.layers_key;
    object["names"] = from_names(env, found.names);
    object["classifier"] = found.classifier ? Napi::Value(from_classifier(env, *found.classifier)) : env.Null();
    object["languageModel"] =
        found.language_model ? Napi::Value(from_language_model(env, *found.language_model)) : env.Null();
    object["generator"] = found.generator ? Napi::Value(from_generator(env, *found.generator)) : env.Null();
    object["causal"] = found.causal ? Napi::Value(from_causal(env, *found.causal)) : env.Null();
    return object;
  });
}

}  // namespace st::binding
