// Opens LibTorch before the engine's addon is loaded. It does not use LibTorch itself, so that it always loads and a
// failure can be explained. libgomp reads its variables once, when it is opened, from the process environment, which
// `process.env` of a worker thread does not reach.
#include <dlfcn.h>
#include <napi.h>

#include <cstdlib>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace {

// Worker threads share the process: the first caller opens the libraries, and the others find them open.
std::mutex mutex;
std::set<std::string> opened;

using Variables = std::vector<std::pair<std::string, std::string>>;

// Sets variables for its lifetime, unless the user has set them. They are removed afterwards, because child processes
// of the host application, Python for one, would inherit a thread count that was meant for this process.
class ScopedVariables {
 public:
  explicit ScopedVariables(const Variables& variables) {
    for (const auto& [name, value] : variables) {
      if (std::getenv(name.c_str()) != nullptr) continue;
      setenv(name.c_str(), value.c_str(), 0);
      set_.push_back(name);
    }
  }
  ~ScopedVariables() {
    for (const std::string& name : set_) unsetenv(name.c_str());
  }
  ScopedVariables(const ScopedVariables&) = delete;
  ScopedVariables& operator=(const ScopedVariables&) = delete;

 private:
  std::vector<std::string> set_;
};

// Empty when all are open, else the loader's message.
std::string open_libraries(const Variables& variables, const std::vector<std::string>& libraries) {
  std::lock_guard lock(mutex);
  const ScopedVariables scope(opened.empty() ? variables : Variables{});
  for (const std::string& library : libraries) {
    if (opened.count(library) != 0) continue;
    // Never closed, because LibTorch does not survive that.
    if (dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL) == nullptr) {
      const char* reason = dlerror();
      return reason != nullptr ? reason : "cannot open " + library;
    }
    opened.insert(library);
  }
  return "";
}

// open({ env: Record<string, string>, libraries: string[] }): void
void open(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsObject()) throw Napi::TypeError::New(env, "Expected { env, libraries }");
  const auto options = info[0].As<Napi::Object>();
  if (!options.Get("env").IsObject() || !options.Get("libraries").IsArray()) {
    throw Napi::TypeError::New(env, "Expected { env: Record<string, string>, libraries: string[] }");
  }
  Variables variables;
  const auto members = options.Get("env").As<Napi::Object>();
  const Napi::Array names = members.GetPropertyNames();
  for (uint32_t i = 0; i < names.Length(); ++i) {
    const std::string name = names.Get(i).ToString().Utf8Value();
    variables.emplace_back(name, members.Get(name).ToString().Utf8Value());
  }
  std::vector<std::string> libraries;
  const auto paths = options.Get("libraries").As<Napi::Array>();
  for (uint32_t i = 0; i < paths.Length(); ++i) libraries.push_back(paths.Get(i).ToString().Utf8Value());

  const std::string problem = open_libraries(variables, libraries);
  if (!problem.empty()) throw Napi::Error::New(env, problem);
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports["open"] = Napi::Function::New(env, open, "open");
  return exports;
}

}  // namespace

NODE_API_MODULE(boot, init)
