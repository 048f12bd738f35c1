#include "binding/generation_wrap.h"

#include <chrono>
#include <cstring>
#include <utility>
#include <vector>

#include "binding/convert.h"
#include "binding/encoder_wrap.h"
#include "binding/environment.h"
#include "core/error.h"

namespace st::binding {

namespace {

// Longer jobs would keep others waiting.
constexpr std::chrono::duration<double> kJob{0.04};

Napi::Value from_answers(Napi::Env env, const std::vector<Generation::Answer>& answers) {
  auto out = Napi::Array::New(env, answers.size());
  for (size_t i = 0; i < answers.size(); ++i) {
    const auto& [prompt, number, ids] = answers[i];
    auto tokens = Napi::Int32Array::New(env, ids.size());
    if (!ids.empty()) std::memcpy(tokens.Data(), ids.data(), ids.size() * sizeof(int32_t));
    auto answer = Napi::Object::New(env);
    answer["prompt"] = static_cast<double>(prompt);
    answer["number"] = static_cast<double>(number);
    answer["ids"] = tokens;
    out[static_cast<uint32_t>(i)] = answer;
  }
  return out;
}

}  // namespace

Napi::Function GenerationWrap::define(Napi::Env env) {
  return DefineClass(env, "Generation",
                     {
                         InstanceAccessor<&GenerationWrap::bytes>("bytes"),
                         InstanceMethod<&GenerationWrap::next>("next"),
                         InstanceMethod<&GenerationWrap::dispose>("dispose"),
                     });
}

GenerationWrap::GenerationWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<GenerationWrap>(info) {
  throwing(info.Env(), [&] {
    auto encoder = EncoderWrap::unwrap(info[0], "encoder");
    engine_ = encoder.get();
    generation_ = std::make_shared<Generation>(std::move(encoder), to_batch(info[1]), to_generation_options(info[2]));
    bytes_ = static_cast<double>(generation_->bytes());
  });
}

GenerationWrap::~GenerationWrap() {
  if (generation_) Executor::instance().release(std::move(generation_));
}

Napi::Value GenerationWrap::bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), bytes_);
}

Napi::Value GenerationWrap::next(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    check(!disposed_, "ERR_DISPOSED", "The generation was disposed of");
    struct Found {
      std::vector<Generation::Answer> answers;
      bool done;
    };
    auto found = std::make_shared<Found>();
    return Environment::of(info.Env())
        .enqueue(
            {.engine = engine_, .reads = true, .yields = true}, {},
            [generation = generation_, found] {
              found->answers = generation->next(kJob);
              found->done = generation->is_done();
            },
            [found](Napi::Env env) {
              auto out = Napi::Object::New(env);
              out["answers"] = from_answers(env, found->answers);
              out["done"] = found->done;
              return out;
            });
  });
}

Napi::Value GenerationWrap::dispose(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    disposed_ = true;
    return Environment::of(info.Env()).enqueue({}, [generation = generation_] { generation->dispose(); });
  });
}

}  // namespace st::binding
