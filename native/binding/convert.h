#pragma once

#include <napi.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "binding/job.h"
#include "core/config.h"
#include "core/tensor_range.h"
#include "engine/generation/options.h"
#include "engine/report.h"
#include "engine/routed_batch.h"
#include "engine/spec.h"

namespace st::binding {

// JavaScript values to the engine's types (lib/native/types.ts). A value of the wrong type throws
// ERR_INVALID_ARGUMENT with the expected type, the field and the found value. An unknown member throws
// ERR_UNKNOWN_OPTION.

// "Expected `expected` for `field` but received …"
[[noreturn]] void wrong_type(const std::string& field, const std::string& expected, Napi::Value found);

// `value` as a plain JSON-like value, without undefined members.
Config to_config(Napi::Value value, const std::string& field);
Config to_options(Napi::Value value, const std::string& field);  // an object

// A whole number from `least` to 2^53 - 1.
int64_t to_integer(Napi::Value value, const std::string& field, int64_t least);
std::vector<int64_t> to_numbers(Napi::Value value, const std::string& field);  // whole, from 0
std::string to_string(Napi::Value value, const std::string& field);
std::vector<std::string> to_strings(Napi::Value value, const std::string& field);

// Views of the caller's memory, valid during the call.
Napi::Float32Array to_floats(Napi::Value value, const std::string& field);
Napi::Int32Array to_integers(Napi::Value value, const std::string& field);
// The same for a job that borrows the memory. Keeping the array keeps the memory, unless somebody transfers it.
// Memory that can shrink, or that other threads can write to, is refused.
Napi::Float32Array to_borrowed_floats(Napi::Value value, const std::string& field);
Napi::Int32Array to_borrowed_integers(Napi::Value value, const std::string& field);
Napi::Uint8Array to_borrowed_bytes(Napi::Value value, const std::string& field);
Napi::Float64Array to_borrowed_doubles(Napi::Value value, const std::string& field);

RoutedBatch to_batch(Napi::Value value);  // a copy
// Borrowed: `keep` receives the arrays that own the memory.
std::vector<TensorRange> to_ranges(Napi::Value value, std::vector<Napi::Value>& keep);
EncoderOutput to_encoder_output(Napi::Value value);
JobKind to_encode_kind(Napi::Value value);  // with lane and ticket alone
EncoderSpec to_encoder_spec(Napi::Value value);
AdapterSpec to_adapter_spec(Napi::Value value);
TrainerSpec to_trainer_spec(Napi::Value value);
StepOptions to_step_options(Napi::Value value);
ExternalLoss to_external_loss(Napi::Value value);
GenerationOptions to_generation_options(Napi::Value value);

Napi::Value from_report(Napi::Env env, const std::optional<StepReport>& report);
Napi::Object from_numbers(Napi::Env env, const std::map<std::string, double>& numbers);
Napi::Array from_tensors(Napi::Env env, const std::vector<TensorInfo>& tensors);

}  // namespace st::binding
