import java.net.InetAddress;
import java.net.Socket;
import java.net.URL;
import java.util.Arrays;
import java.util.concurrent.Callable;

/** What Java's own calls make of a name. */
public class Look {
    static void show(String title, Callable<Object> call) {
        try {
            System.out.println(title + " " + call.call());
        } catch (Exception error) {
            System.out.println(title + " " + error);
        }
    }

    public static void main(String[] arguments) {
        String name = arguments[0];
        show("getByName", () -> InetAddress.getByName(name));
        show("getAllByName", () -> Arrays.asList(InetAddress.getAllByName(name)));
        show("Socket", () -> new Socket(name, 81));
        show("URL", () -> new String(new URL("http://" + name + "/").openStream().readAllBytes()));
    }
}
