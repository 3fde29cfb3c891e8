#include <arpa/inet.h>
#include <string.h>
#include <sys/un.h>

#include "guard.h"

static const char USAGE[] = "usage: virga-passt-guard --socket PATH --guest A.B.C.D -- PASST [ARG]...";

void parse_options(int argc, char **argv, struct options *options) {
  int i = 1;
  for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
    const char *option = argv[i], *value = argv[i + 1];
    if (value == NULL) stop(EXIT_USAGE, "a value is missing", USAGE);
    i++;
    if (strcmp(option, "--socket") == 0) {
      // Room for the ending of the name it is made under.
      if (strlen(value) + sizeof ".new" > sizeof((struct sockaddr_un *)0)->sun_path) {
        stop(EXIT_USAGE, "the path of the socket is too long", value);
      }
      options->socket = value;
    } else if (strcmp(option, "--guest") == 0) {
      if (inet_pton(AF_INET, value, &options->guest) != 1) stop(EXIT_USAGE, "no IPv4 address", value);
    } else {
      stop(EXIT_USAGE, "an option is unknown", option);
    }
  }
  if (options->socket == NULL || options->guest.s_addr == 0) stop(EXIT_USAGE, "an option is missing", USAGE);
  if (i + 1 >= argc) stop(EXIT_USAGE, "the program is missing", USAGE);
  options->program = argv + i + 1;
}
