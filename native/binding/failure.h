#pragma once

#include <exception>
#include <string>

namespace st::binding {

// A C++ exception for JavaScript: a code of lib/errors.ts and a message without backtrace.
struct Failure {
  std::string code;
  std::string message;
};

Failure to_failure(std::exception_ptr error);

}  // namespace st::binding
