// Arguments and results of the trainer.
#include <cmath>

#include "binding/collective_wrap.h"
#include "binding/convert.h"
#include "binding/fields.h"
#include "core/error.h"

namespace st::binding {

namespace {

std::vector<float> to_vector(Napi::Value value, const std::string& field) {
  const Napi::Float32Array array = to_floats(value, field);
  if (array.ElementLength() == 0) return {};
  return std::vector<float>(array.Data(), array.Data() + array.ElementLength());
}

Napi::Object to_object(Napi::Value value, const std::string& field) {
  if (!value.IsObject() || value.IsArray() || value.IsTypedArray()) wrong_type(field, "an object", value);
  return value.As<Napi::Object>();
}

double to_number(Napi::Value value, const std::string& field) {
  if (!value.IsNumber()) wrong_type(field, "a number", value);
  return value.As<Napi::Number>().DoubleValue();
}

std::vector<double> to_rates(const Fields& fields) {
  const Napi::Value rate = fields.get("lr");
  if (rate.IsNumber()) return {fields.number("lr")};
  if (!rate.IsTypedArray() || rate.As<Napi::TypedArray>().TypedArrayType() != napi_float64_array) {
    wrong_type("options.lr", "a number or a Float64Array", rate);
  }
  const auto array = rate.As<Napi::Float64Array>();
  std::vector<double> rates;
  for (size_t i = 0; i < array.ElementLength(); ++i) rates.push_back(array[i]);
  check(!rates.empty(), "ERR_INVALID_ARGUMENT", "Expected at least one rate for options.lr");
  for (double value : rates) {
    check(std::isfinite(value), "ERR_INVALID_ARGUMENT", "Expected finite rates for options.lr but received ", value);
  }
  return rates;
}

int64_t to_count(const Fields& fields, const char* name) {
  return fields.has(name) ? to_integer(fields.get(name), fields.path(name), 1) : 0;
}

}  // namespace

TrainerSpec to_trainer_spec(Napi::Value value) {
  const Fields fields(value, "spec",
                      {"losses", "optimizer", "weightDecay", "maxGradNorm", "seed", "precision", "lossScaler",
                       "activationCheckpointing", "compatLossGradients", "ranks"});
  TrainerSpec spec;
  const Napi::Value losses = fields.get("losses");
  if (!losses.IsArray()) wrong_type("spec.losses", "an array of losses", losses);
  const auto array = losses.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const std::string where = "spec.losses[" + std::to_string(i) + "]";
    const Fields loss(array.Get(i), where, {"name", "spec", "gathers"});
    spec.losses.push_back(
        {loss.string("name"), to_options(loss.get("spec"), where + ".spec"), loss.boolean("gathers", false)});
  }
  spec.optimizer = to_options(fields.get("optimizer"), "spec.optimizer");
  spec.weight_decay = fields.number("weightDecay");
  spec.max_grad_norm = fields.number("maxGradNorm");
  spec.seed = static_cast<uint64_t>(to_integer(fields.get("seed"), "spec.seed", 0));
  if (fields.has("precision")) spec.precision = fields.string("precision");
  spec.loss_scaler = fields.boolean("lossScaler", false);
  spec.activation_checkpointing = fields.boolean("activationCheckpointing", false);
  spec.compat_loss_gradients = fields.boolean("compatLossGradients", false);
  if (fields.has("ranks")) spec.ranks = CollectiveWrap::unwrap(fields.get("ranks"), "spec.ranks");
  return spec;
}

StepOptions to_step_options(Napi::Value value) {
  const Fields fields(
      value, "options",
      {"lr", "lossScale", "update", "report", "loss", "miniBatchRows", "miniBatchTokens", "recompute", "requests"});
  StepOptions options;
  options.rates = to_rates(fields);
  options.loss_scale = fields.number("lossScale", 1);
  options.update = fields.boolean("update", true);
  options.report = fields.boolean("report", false);
  if (fields.has("loss")) options.loss = to_integer(fields.get("loss"), "options.loss", 0);
  if (fields.has("requests")) {
    for (const int64_t request : to_numbers(fields.get("requests"), "options.requests")) {
      options.requests.push_back(static_cast<double>(request));
    }
  }
  options.mini_batch_rows = to_count(fields, "miniBatchRows");
  options.mini_batch_tokens = to_count(fields, "miniBatchTokens");
  options.recompute = fields.boolean("recompute", false);
  check(options.mini_batch_rows == 0 || options.mini_batch_tokens == 0, "ERR_INVALID_ARGUMENT",
        "Expected miniBatchRows or miniBatchTokens but received both");
  return options;
}

ExternalLoss to_external_loss(Napi::Value value) {
  const Fields fields(value, "external", {"loss", "embeddings", "parameters", "components"});
  ExternalLoss external;
  // May be NaN. Such a step is counted and skipped.
  external.loss = to_number(fields.get("loss"), "external.loss");
  external.embeddings = to_vector(fields.get("embeddings"), "external.embeddings");
  if (fields.has("parameters")) {
    const Napi::Object parameters = to_object(fields.get("parameters"), "external.parameters");
    for (const std::string& name : own_names(parameters)) {
      external.parameters[name] = to_vector(parameters.Get(name), "external.parameters." + name);
    }
  }
  if (fields.has("components")) {
    const Napi::Object components = to_object(fields.get("components"), "external.components");
    for (const std::string& name : own_names(components)) {
      external.components[name] = to_number(components.Get(name), "external.components." + name);
    }
  }
  return external;
}

Napi::Object from_numbers(Napi::Env env, const std::map<std::string, double>& numbers) {
  auto object = Napi::Object::New(env);
  for (const auto& [name, number] : numbers) object[name] = number;
  return object;
}

Napi::Value from_report(Napi::Env env, const std::optional<StepReport>& report) {
  if (!report) return env.Undefined();
  auto object = Napi::Object::New(env);
  object["loss"] = report->loss;
  object["batches"] = static_cast<double>(report->batches);
  object["components"] = from_numbers(env, report->components);
  object["gradNorm"] = report->grad_norm;
  object["updates"] = static_cast<double>(report->updates);
  object["skipped"] = static_cast<double>(report->skipped);
  object["times"] = from_numbers(
      env, {{"forward", report->forward_ms}, {"backward", report->backward_ms}, {"optimizer", report->optimizer_ms}});
  if (!report->requests.empty()) {
    auto requests = Napi::Array::New(env, report->requests.size());
    for (uint32_t i = 0; i < report->requests.size(); ++i) requests[i] = report->requests[i];
    object["requests"] = requests;
    object["communication"] = report->communication_ms;
    object["hidden"] = report->hidden_ms;
  }
  object["tokens"] = static_cast<double>(report->tokens);
  object["meanCosine"] = report->mean_cosine;
  if (report->loss_scale) object["lossScale"] = *report->loss_scale;
  if (!report->graphs.empty()) object["graphs"] = from_numbers(env, {report->graphs.begin(), report->graphs.end()});
  return object;
}

}  // namespace st::binding
