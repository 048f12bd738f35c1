#pragma once

#include <napi.h>

namespace st::binding {

// profileStart(), profileStop() and measureMachine() of lib/native/types.ts.
Napi::Value start_profile(const Napi::CallbackInfo& info);
Napi::Value stop_profile(const Napi::CallbackInfo& info);
Napi::Value measure(const Napi::CallbackInfo& info);

}  // namespace st::binding
